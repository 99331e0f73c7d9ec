// What every play begins with: a tracker, alice and bob, and a browser that must have nothing to complain about.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test as base, expect, type BrowserContext, type Locator, type Page } from '@playwright/test'
import { Peer } from './peer'
import { Program } from './program'

type Words = { [key: string]: string | Words }

interface Stage {
  tracker: Program
  alice: Peer
  bob: Peer
  // Somebody more, who stays until the pages are closed.
  invite: (name: string, flags?: string[]) => Promise<Peer>
  // What the browser complained about. A play may excuse what it provokes.
  complaints: Complaints
  visit: (peer: Peer, path?: string) => Promise<Page>
  // What the page says in the language of this play.
  say: (key: string, values?: Record<string, string | number>) => string
}

class Complaints {
  private readonly heard: string[] = []
  private readonly excuses: RegExp[] = []

  excuse(...excuses: RegExp[]): void {
    this.excuses.push(...excuses)
  }

  get left(): string[] {
    return this.heard.filter((complaint) => !this.excuses.some((excuse) => excuse.test(complaint)))
  }

  async listen(context: BrowserContext): Promise<void> {
    // A breach of the page's policy is told as an event of the document.
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) => {
        console.error(`policy: ${violatedDirective} ${blockedURI} ${sample}`)
      })
    })
    context.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()))
        this.heard.push(`${message.type()}: ${message.text()}`)
    })
    // Errors that nobody caught, and promises that nobody waited for.
    context.on('weberror', (error) =>
      this.heard.push(`uncaught: ${error.error().stack ?? error.error().message}`),
    )
    context.on('request', (request) => {
      const { protocol, host } = new URL(request.url())
      const own = new URL(request.isNavigationRequest() ? request.url() : request.frame().url())
      const local = host === own.host && own.hostname === 'localhost'
      if (!local && protocol !== 'data:' && protocol !== 'blob:')
        this.heard.push(`another host: ${request.url()}`)
    })
  }
}

export const test = base.extend<Stage>({
  tracker: async ({}, use) => {
    const tracker = await Program.start('chatp2p-tracker', ['--database', 'memory'])
    await use(tracker)
    await tracker.end()
  },
  alice: async ({ tracker }, use) => {
    const alice = await Peer.start('alice', tracker)
    await use(alice)
    await alice.end()
  },
  bob: async ({ tracker }, use) => {
    const bob = await Peer.start('bob', tracker)
    await use(bob)
    await bob.end()
  },
  invite: async ({ tracker }, use) => {
    const guests: Peer[] = []
    await use(async (name, flags) => {
      const guest = await Peer.start(name, tracker, flags)
      guests.push(guest)
      return guest
    })
    for (const guest of guests) await guest.end()
  },
  complaints: [
    // Set up after everybody, so that the pages are closed before anybody leaves.
    async ({ context, alice: _alice, bob: _bob, invite: _invite }, use) => {
      const complaints = new Complaints()
      await complaints.listen(context)
      await use(complaints)
      expect(complaints.left, 'the browser complains').toEqual([])
      for (const page of context.pages()) await page.close()
    },
    { auto: true },
  ],
  visit: async ({ context }, use) => {
    await use(async (peer, path = '') => {
      const page = await context.newPage()
      await page.goto(peer.page + path)
      return page
    })
  },
  say: async ({ locale }, use) => {
    const file = join(import.meta.dirname, `../src/i18n/${locale?.slice(0, 2) ?? 'en'}.json`)
    const words = JSON.parse(readFileSync(file, 'utf8')) as Words
    await use((key, values = {}) => {
      let found: string | Words | undefined = words
      for (const step of key.split('.')) found = typeof found === 'object' ? found[step] : undefined
      if (typeof found !== 'string') throw new Error(`no text is called ${key}`)
      return found.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]))
    })
  },
})

// Both go online, and the first one connects, without the page.
export const meet = async (one: Peer, other: Peer) => {
  await one.goOnline()
  await other.goOnline()
  await one.connect(other)
}

// What people do with the page, by the words and roles they find it by.
export const start = async (page: Page, name: string) => {
  await page.locator('#username').fill(name)
  await page.locator('form button[type=submit]').click()
  await expect(page.getByTestId('me')).toHaveText(name)
}

export const write = async (page: Page, text: string) => {
  await page.getByTestId('composer').fill(text)
  await page.getByTestId('composer').press('Enter')
}

export const messages = (page: Page): Locator => page.getByTestId('message')

// The newest message that says this.
export const message = (page: Page, text: string): Locator => messages(page).filter({ hasText: text }).last()

export const tick = (row: Locator): Locator => row.locator('[data-delivery]')

export const conversation = (page: Page, peer: string): Locator => page.locator(`[data-peer="${peer}"]`)

export { expect }
