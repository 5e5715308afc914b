// What the generated client takes for granted of Newtonsoft.Json 13, of which Debian has version 6: a place for a strategy that names what has no name of
// its own, which nothing in the client has. It is found here first, so that the client is compiled as it was generated.
namespace Countersign
{
    public class CamelCaseNamingStrategy
    {
        public bool OverrideSpecifiedNames { get; set; }
    }

    public class DefaultContractResolver : Newtonsoft.Json.Serialization.DefaultContractResolver
    {
        public CamelCaseNamingStrategy NamingStrategy { get; set; }
    }
}
