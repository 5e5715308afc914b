import { everything } from './everything.mjs';

export default {
  async fetch(request) {
    const [server, publicKey, nobody] = JSON.parse(new URL(request.url).searchParams.get('with') ?? '');
    try {
      return Response.json(await everything(server, publicKey, nobody));
    } catch (error) {
      return Response.json({ error: String(error) });
    }
  },
};
