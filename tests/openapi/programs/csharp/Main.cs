// What a backend in C# does with the client that openapi-generator makes.
using System;
using System.Collections.Generic;
using System.Linq;
using Countersign.Api;
using Countersign.Client;
using Countersign.Model;
using Newtonsoft.Json;

public static class Program
{
    public static void Main()
    {
        string key = Environment.GetEnvironmentVariable("KEY");
        string message = Environment.GetEnvironmentVariable("MESSAGE");
        string url = Environment.GetEnvironmentVariable("COUNTERSIGN_URL");
        var asking = new AskingApi(url);
        var requests = new RequestsApi(url);

        var one = new Ask(publicKey: key, message: message);
        var several = new AskBatch(publicKey: key, messages: new List<string> { message, message });
        var seen = new Dictionary<string, object>();
        seen["signature"] = asking.SendToSign(one).Signature;
        seen["batch"] = asking.SendBatch(several).Requests.Select(request => request.Signature).ToList();
        var accepted = asking.SendToSignWithHttpInfo(one, "respond-async", "csharp");
        var id = accepted.Data.RequestId;
        var ended = requests.GetRequest(id, 30);
        seen["accepted"] = (int)accepted.StatusCode;
        seen["request_id"] = id;
        seen["state"] = ended.State;
        seen["ended_ms"] = ended.Times.EndedMs;
        seen["receipt"] = requests.GetReceipt(id).VarReceipt;
        try
        {
            asking.SendToSign(new Ask(publicKey: Environment.GetEnvironmentVariable("NOBODY"), message: message));
            throw new InvalidOperationException("no error of the API");
        }
        catch (ApiException error)
        {
            var problem = JsonConvert.DeserializeObject<Problem>((string)error.ErrorContent);
            seen["error"] = problem.Code;
            seen["errorStatus"] = problem.Status;
        }
        Console.WriteLine(JsonConvert.SerializeObject(seen));
    }
}
