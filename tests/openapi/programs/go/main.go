// What a backend in Go does with the client that openapi-generator makes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"

	countersign "countersign.example/client"
)

func main() {
	configuration := countersign.NewConfiguration()
	configuration.Servers = countersign.ServerConfigurations{{URL: os.Getenv("COUNTERSIGN_URL")}}
	client, ctx := countersign.NewAPIClient(configuration), context.Background()
	key, nobody, message := os.Getenv("KEY"), os.Getenv("NOBODY"), os.Getenv("MESSAGE")

	one := *countersign.NewAsk(key, message)
	signed, _, err := client.AskingAPI.SendToSign(ctx).Ask(one).Execute()
	must(err)
	several := *countersign.NewAskBatch(key, []string{message, message})
	batch, _, err := client.AskingAPI.SendBatch(ctx).AskBatch(several).Execute()
	must(err)
	accepted, response, err := client.AskingAPI.SendToSign(ctx).Ask(one).Prefer("respond-async").IdempotencyKey("go").Execute()
	must(err)
	id := accepted.RequestId
	ended, _, err := client.RequestsAPI.GetRequest(ctx, id).Wait(30).Execute()
	must(err)
	receipt, _, err := client.RequestsAPI.GetReceipt(ctx, id).Execute()
	must(err)
	_, _, err = client.AskingAPI.SendToSign(ctx).Ask(*countersign.NewAsk(nobody, message)).Execute()
	var failed *countersign.GenericOpenAPIError
	if !errors.As(err, &failed) {
		log.Fatal("no error of the API: ", err)
	}
	problem := failed.Model().(countersign.Problem)

	must(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"signature":   signed.GetSignature(),
		"batch":       []string{batch.Requests[0].GetSignature(), batch.Requests[1].GetSignature()},
		"accepted":    response.StatusCode,
		"request_id":  id,
		"state":       ended.State,
		"ended_ms":    ended.Times.GetEndedMs(),
		"receipt":     receipt.Receipt,
		"error":       problem.Code,
		"errorStatus": problem.Status,
	}))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
