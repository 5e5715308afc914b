const { Key, Wallet } = require('countersign');
const { serve } = require('./serve.js');

if (typeof Key !== 'function' || typeof Wallet !== 'function') throw new Error('require() gives no Key and no Wallet');
serve(process.argv[2], (word) => console.log(JSON.stringify(word)));
