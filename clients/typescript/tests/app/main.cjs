const { Countersign } = require('countersign-client');

const [server, publicKey] = process.argv.slice(2);
new Countersign(server).sendToSign(publicKey, new Uint8Array([1])).then(({ approved_by }) => console.log(approved_by));
