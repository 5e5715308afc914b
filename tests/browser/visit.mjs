// A visit to the demo page, in the words of what a person sees and does there.

import assert from 'node:assert/strict';
import { inContext } from './in-context.mjs';
import { Prompts } from './prompts.mjs';

/** One half of the page, or the page. */
class Part {
  constructor(locator) {
    this.locator = locator;
  }

  /** Waits until this text can be seen. */
  async sees(text) {
    await this.locator.getByText(text).filter({ visible: true }).first().waitFor();
  }

  button(name) {
    return this.locator.getByRole('button', { name, exact: true });
  }

  field(label) {
    return this.locator.getByLabel(label, { exact: false });
  }
}

/** One tab with the page open and its wallet connected. */
export class Tab {
  constructor(page) {
    this.page = page;
    this.wallet = new Part(page.getByRole('region', { name: 'Wallet' }));
    this.backend = new Part(page.getByRole('region', { name: 'Backend' }));
  }

  /** Waits until the wallet leaves the lead to another tab. */
  async standsBy() {
    await this.wallet.locator.getByText('Standing by', { exact: true }).waitFor();
    await this.wallet.sees('This wallet is open in another tab');
    return this;
  }

  /** Waits until the wallet is connected, or fails with what it says is wrong. */
  async connected() {
    const problem = this.wallet.locator.getByRole('alert');
    await this.wallet.locator.getByText('Connected', { exact: true }).or(problem).first().waitFor();
    assert.deepEqual(await problem.allInnerTexts(), []);
    return this;
  }

  /** The wallet's key, as the form was filled with it. */
  publicKey() {
    return this.backend.field("Signer's public key").inputValue();
  }

  /**
   * Fills the form and asks.
   *
   * @param {{ message?: string, hex?: boolean, purpose?: string, seconds?: number | string, several?: boolean, durable?: boolean }} options
   */
  async ask({ message, hex = false, purpose, seconds, several = false, durable = false } = {}) {
    if (several) await this.backend.field('Two messages in one prompt').check();
    if (durable) await this.backend.field('Let it wait for the wallet').check();
    if (hex) await this.backend.locator.getByText('Hex', { exact: true }).click();
    if (message !== undefined) await this.backend.field('Message').first().fill(message);
    if (purpose !== undefined) await this.backend.field('Purpose').fill(purpose);
    if (seconds !== undefined) await this.backend.field('Wait, in seconds').fill(String(seconds));
    await this.backend.button('Ask for a signature').click();
  }

  /** The last answer of the API, as the page has it. */
  async answer() {
    return JSON.parse(await this.page.locator('#answer-json').textContent());
  }

  /** Reads what is to be signed to its end. */
  async readOn() {
    const more = this.wallet.button('Read on to approve').first();
    const approve = this.wallet.locator.locator('.decide > [data-part=approve]:not([aria-disabled])');
    await approve.or(more).first().waitFor();
    // It goes as soon as the end is seen, which may be before the click.
    while (await more.isVisible()) await more.click({ timeout: 1_000 }).catch(() => {});
  }

  /** Reads to the end, and presses Approve as soon as the wallet takes it. */
  async approve() {
    const patience = Date.now() + 60_000;
    for (;;) {
      await this.readOn();
      try {
        return await this.press('Approve', this.wallet, 2_000);
      } catch (error) {
        // What was read may have been the prompt before this one, on its way out.
        if (Date.now() > patience) throw error;
      }
    }
  }

  /**
   * Presses a button of the prompt, and again where the prompt had just come or moved: it takes no click then.
   *
   * @param {string} name
   * @param {{ button(name: string): import('playwright-core').Locator }} prompts where it is; anywhere in the wallet unless said
   * @param {number} [timeout] how long it may take until it is there, in milliseconds
   */
  async press(name, prompts = this.wallet, timeout = undefined) {
    const untaken = () => this.page.evaluate(() => window.__untaken);
    let before;
    do {
      before = await untaken();
      await prompts.button(name).click({ timeout });
    } while ((await untaken()) > before);
  }

  /** Has the messages of a batch decided one by one; again where the page moved under the click, which then went elsewhere. */
  async oneByOne() {
    const button = this.wallet.button('One by one');
    do await button.click();
    while ((await button.getAttribute('aria-expanded')) !== 'true');
  }

  /** Presses Tab until `locator` has the focus, and checks at each stop that the focus can be seen. */
  async tabTo(locator, key = 'Tab') {
    await locator.waitFor();
    for (let stop = 0; stop < 40; stop += 1) {
      await this.page.keyboard.press(key);
      assert.ok(await this.page.evaluate(focusShows), 'the focus cannot be seen');
      if (await locator.evaluate((element) => element === document.activeElement)) return;
    }
    assert.fail(`the keyboard does not reach ${locator}`);
  }

  /** How many prompts were put before the human since the page was loaded. */
  prompts() {
    return this.page.evaluate(() => window.__prompts);
  }
}

/**
 * A test of the page, opened in a fresh browser context.
 *
 * @param {World} world
 * @param {string} name
 * @param {(given: { tab: Tab, context: import('playwright-core').BrowserContext, world: World, prompts: Prompts, watch: import('./watch.mjs').Watch }) => Promise<void>} body
 * @param {Parameters<typeof inContext>[3] & { prepare?(context: import('playwright-core').BrowserContext): unknown }} options of `inContext`, and
 *   `prepare`: called with the context before the page is opened
 * @typedef {Parameters<typeof inContext>[0]} World
 */
export function scenario(world, name, body, { prepare, ...options } = {}) {
  inContext(
    world,
    name,
    async ({ context, watch }) => {
      const prompts = new Prompts();
      await prompts.attach(context);
      await prepare?.(context);
      const tab = await openTab(context, world.server.url);
      await body({ tab, context, world, prompts, watch });
    },
    { viewport: { width: 1280, height: 900 }, ...options },
  );
}

/** Opens the page in a tab of its own. */
export async function openTab(context, url) {
  return (await load(context, url)).connected();
}

/** Opens the page in a further tab, where the wallet is open already. */
export async function openSecondTab(context, url) {
  return (await load(context, url)).standsBy();
}

async function load(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  return new Tab(page);
}

function focusShows() {
  const focused = document.activeElement ?? document.body;
  // A radio button is drawn by the label beside it.
  const drawn = focused.matches('[type=radio]') ? focused.nextElementSibling : focused;
  const style = getComputedStyle(drawn ?? focused);
  return focused === document.body || (style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) > 0);
}
