// A page written for the classic API, served from another origin, works unchanged where that origin is allowed, and gets
// nothing where it is not.
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test as base, expect } from '@playwright/test'
import { Peer } from './peer'
import { Program } from './program'

interface Stage {
  tracker: Program
  site: { origin: string }
}

const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8' }

const test = base.extend<Stage>({
  tracker: async ({}, use) => {
    const tracker = await Program.start('chatp2p-tracker', ['--database', 'memory'])
    await use(tracker)
    await tracker.end()
  },

  site: async ({}, use) => {
    const server = createServer((request, response) => {
      const name = new URL(request.url ?? '/', 'http://x').pathname === '/page.js' ? 'page.js' : 'index.html'
      response.setHeader('content-type', name.endsWith('js') ? TYPES.js : TYPES.html)
      response.end(readFileSync(join(import.meta.dirname, 'classic', name)))
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    await use({ origin: `http://localhost:${port}` })
    await new Promise((done) => server.close(done))
  },
})

test('where its origin is allowed it can do all it ever could', async ({ tracker, site, page, context }) => {
  const alice = await Peer.start('alice', tracker, ['--allow-origin', site.origin])
  const bob = await Peer.start('bob', tracker)
  await bob.goOnline()
  const preflights: string[] = []
  context.on('request', (request) =>
    preflights.push(`${request.method()} ${new URL(request.url()).pathname}`),
  )
  const uncaught: unknown[] = []
  context.on('weberror', (error) => uncaught.push(error.error()))

  const query = new URLSearchParams({ api: `http://localhost:${alice.program.port}`, tracker: tracker.url })
  await page.goto(`${site.origin}/?${query}`)
  const log = page.locator('#log li')
  await expect(log).toHaveText(['pong'])

  // A refusal is read, across origins too.
  await page.locator('[name=username]').fill('bob')
  await page.getByText('start').click()
  await expect(page.locator('#error')).not.toBeEmpty()
  await page.locator('[name=username]').fill('alice')
  await page.getByText('start').click()
  await expect(log.last()).toHaveText('started alice')
  await expect(page.locator('#error')).toBeEmpty()

  await page.getByText('bob at 127.0.0.1:number').click()
  await expect(log.filter({ hasText: 'connect connected' })).toHaveCount(1)
  await expect(log.filter({ hasText: '+ bob' })).toHaveCount(1)
  await expect(page.locator('#connected')).toHaveText('bob')

  await page.locator('[name=content]').fill('¡Hola Bob! 👋')
  await page.getByText('send', { exact: true }).click()
  await expect(log.filter({ hasText: 'send sent' })).toHaveCount(1)
  await page.getByText('broadcast').click()
  await expect(log.filter({ hasText: 'broadcast broadcasted' })).toHaveCount(1)
  await bob.hears(['alice', '¡Hola Bob! 👋'], ['alice', 'to all & sundry'])

  await bob.send(alice, '<b>hola</b>')
  await expect(log.last()).toHaveText('bob: <b>hola</b> @ string')
  await page.getByText('disconnect').click()
  await expect(log.filter({ hasText: 'disconnect true' })).toHaveCount(1)
  await expect(log.filter({ hasText: '- bob' })).toHaveCount(1)
  await page.getByText('stop').click()
  await expect(log.filter({ hasText: 'stop stopped' })).toHaveCount(1)
  // Its own messages never came back to it as somebody's.
  await expect(log.filter({ hasText: 'alice:' })).toHaveCount(0)
  expect(uncaught).toEqual([])
  expect(preflights).toContain('DELETE /disconnect/bob')
  await alice.end()
  await bob.end()
})

test('where its origin is not allowed it gets nothing', async ({ tracker, site, page }) => {
  const alice = await Peer.start('alice', tracker)
  const blocked: string[] = []
  page.on('console', (message) => blocked.push(message.text()))
  const query = new URLSearchParams({ api: `http://localhost:${alice.program.port}`, tracker: tracker.url })
  await page.goto(`${site.origin}/?${query}`)
  await page.locator('[name=username]').fill('alice')
  await page.getByText('start').click()
  await expect
    .poll(() => blocked.filter((text) => /CORS policy|WebSocket connection/.test(text)).length)
    .toBe(2)
  await expect(page.locator('#log li')).toHaveCount(0)
  expect(await alice.call('GET', '/status')).toEqual({ running: false })
  await alice.end()
})
