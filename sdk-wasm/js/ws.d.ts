/** The little of `ws` that is used here. */
declare module 'ws' {
  export default class Ws {
    constructor(url: string, protocols: string | string[] | undefined, options: { maxPayload: number; perMessageDeflate: boolean });
  }
}
