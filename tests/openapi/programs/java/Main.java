import com.fasterxml.jackson.databind.ObjectMapper;
import example.countersign.ApiClient;
import example.countersign.ApiException;
import example.countersign.api.AskingApi;
import example.countersign.api.RequestsApi;
import example.countersign.model.Ask;
import example.countersign.model.AskBatch;
import example.countersign.model.Problem;
import example.countersign.model.Request;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a backend in Java does with the client that openapi-generator makes. */
final class Main {
  public static void main(String[] arguments) throws Exception {
    String key = System.getenv("KEY");
    String message = System.getenv("MESSAGE");
    ApiClient client = new ApiClient();
    client.updateBaseUri(System.getenv("COUNTERSIGN_URL"));
    AskingApi asking = new AskingApi(client);
    RequestsApi requests = new RequestsApi(client);

    Ask one = new Ask().publicKey(key).message(message);
    AskBatch several = new AskBatch().publicKey(key).messages(List.of(message, message));
    Map<String, Object> seen = new LinkedHashMap<>();
    seen.put("signature", asking.sendToSign(one, null, null).getSignature());
    seen.put("batch", asking.sendBatch(several, null, null).getRequests().stream().map(Request::getSignature).toList());
    var accepted = asking.sendToSignWithHttpInfo(one, "respond-async", "java");
    var id = accepted.getData().getRequestId();
    Request ended = requests.getRequest(id, 30);
    seen.put("accepted", accepted.getStatusCode());
    seen.put("request_id", id.toString());
    seen.put("state", ended.getState().getValue());
    seen.put("ended_ms", ended.getTimes().getEndedMs());
    seen.put("receipt", requests.getReceipt(id).getReceipt());
    try {
      asking.sendToSign(new Ask().publicKey(System.getenv("NOBODY")).message(message), null, null);
      throw new IllegalStateException("no error of the API");
    } catch (ApiException error) {
      Problem problem = client.getObjectMapper().readValue(error.getResponseBody(), Problem.class);
      seen.put("error", problem.getCode());
      seen.put("errorStatus", problem.getStatus());
    }
    System.out.println(new ObjectMapper().writeValueAsString(seen));
  }
}
