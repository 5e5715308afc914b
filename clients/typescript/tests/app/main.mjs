import process from 'node:process';
import { everything } from './everything.mjs';

const [server, publicKey, nobody] = process.argv.slice(2);
console.log(JSON.stringify(await everything(server, publicKey, nobody)));
