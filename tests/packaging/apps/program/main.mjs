import { serve } from './serve.js';

await serve(process.argv[2], (word) => console.log(JSON.stringify(word)));
