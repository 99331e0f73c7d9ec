// Two hundred texts that are markup, scripts or addresses of scripts, wherever somebody else's words are shown: they are shown
// as they are, nothing of them runs, and nothing is loaded. What the policy would have to stop counts as a complaint.
import type { BrowserContext, Page } from '@playwright/test'
import { conversation, expect, meet, message, messages, start, test, tick, write } from './stage'

const RUN = 'alert(1),pwned=1'

const SHAPES = [
  `<script>${RUN}</script>`,
  `<img src=x onerror="${RUN}">`,
  `<svg onload="${RUN}"></svg>`,
  `<svg><script href="data:,${RUN}"/></svg>`,
  `<iframe srcdoc="<script>parent.${RUN}</script>"></iframe>`,
  `<iframe src="javascript:${RUN}"></iframe>`,
  `<a href="javascript:${RUN}" autofocus onfocus="${RUN}">here</a>`,
  `<details open ontoggle="${RUN}"></details>`,
  `<video><source onerror="${RUN}"></video>`,
  `<input autofocus onfocus="${RUN}">`,
  `<math><mi xlink:href="javascript:${RUN}">x</mi></math>`,
  `<object data="javascript:${RUN}"></object>`,
  `<form action="javascript:${RUN}"><button>ok</button></form>`,
  `<meta http-equiv="refresh" content="0;url=javascript:${RUN}">`,
  `<link rel="stylesheet" href="http://evil.example/x.css">`,
  `<style>@import "http://evil.example/x.css";</style>`,
  `<base href="http://evil.example/">`,
  `{{constructor.constructor('${RUN}')()}}`,
  `javascript:${RUN}`,
  `data:text/html,<script>${RUN}</script>`,
]

const AROUND: ((shape: string) => string)[] = [
  (shape) => shape,
  (shape) => `">${shape}`,
  (shape) => `'>${shape}`,
  (shape) => `</bdi></p></li>${shape}`,
  (shape) => `</textarea></title>${shape}`,
  (shape) => `<!-- -->${shape}<!--`,
  (shape) => `<noscript><p title="</noscript>${shape}">`,
  (shape) => `<svg><![CDATA[${shape}]]>`,
  (shape) => `\u202e${shape}\u2066`,
  (shape) => `&lt;b&gt;${shape}%3Cb%3E`,
]

const PAYLOADS = AROUND.flatMap((around) => SHAPES.map(around))
const ONE = PAYLOADS[1] ?? ''
const AT_ONCE = 20
const BATCHES = Array.from({ length: PAYLOADS.length / AT_ONCE }, (_, n) =>
  PAYLOADS.slice(n * AT_ONCE, (n + 1) * AT_ONCE).join('\n'),
)

// Nothing asked the reader anything, and nothing of it ran.
const guard = (context: BrowserContext) => {
  const dialogs: string[] = []
  context.on('dialog', (dialog) => {
    dialogs.push(dialog.message())
    void dialog.dismiss()
  })
  return async (page: Page) => {
    expect(dialogs).toEqual([])
    expect(await page.evaluate(() => 'pwned' in window)).toBe(false)
    const foreign = 'script:not([src^="/app/"]), iframe, object, embed, base, [onerror], [onload], [srcdoc]'
    await expect(page.locator(foreign)).toHaveCount(0)
    await expect(page.locator('a[href^="javascript:" i], a[href^="data:" i]')).toHaveCount(0)
  }
}

test('as texts, and as what was said last', async ({ context, alice, bob, visit }) => {
  expect(new Set(PAYLOADS).size).toBe(200)
  const unharmed = guard(context)
  await meet(alice, bob)
  const a = await visit(alice, 'chats/bob')
  const b = await visit(bob)
  for (const batch of BATCHES) {
    await bob.send(alice, batch)
    const text = messages(a).last().locator('.text')
    // The list draws anew as it grows; that texts are equal to the last space is no matter for `toHaveText`.
    await expect.poll(() => text.textContent()).toBe(batch)
    // Plain addresses of the web can be opened, and are the only elements.
    await expect(text.locator('*:not(a[href^="http://evil.example"])')).toHaveCount(0)
    await write(a, batch)
    // Until it is settled, what comes next may still stand before it.
    await expect(tick(messages(a).last())).toHaveAttribute('data-delivery', 'delivered')
    await expect(conversation(b, 'alice')).toContainText(batch.slice(0, 60).split('\n')[0] ?? '')
  }
  await unharmed(a)
  await unharmed(b)
})

test('as names: of strangers, contacts, and people who ask to be let in', async ({
  context,
  alice,
  visit,
}) => {
  const unharmed = guard(context)
  await alice.goOnline()
  // No honest program passes such names on; the page is not to need one that is.
  const timestamp = '2026-01-01T00:00:00.000Z'
  const key = (n: number) => `k${n}`
  const answers: Record<string, unknown> = {
    requests: PAYLOADS.map((name, n) => ({
      peer_id: key(n),
      name,
      fingerprint: name,
      timestamp,
      content: name,
    })),
    peers: PAYLOADS.map((username, id) => ({
      id,
      username,
      host: username,
      port: 9,
      is_active: true,
      last_heartbeat: timestamp,
    })),
    contacts: PAYLOADS.map((name, n) => ({
      name,
      tracker_name: name,
      peer_id: key(n),
      verified: false,
      blocked: false,
      connected: false,
      presented: key(n + 1),
    })),
    conversations: PAYLOADS.slice(0, 99).map((peer, n) => ({
      peer,
      contact: true,
      connected: false,
      last: {
        id: n.toString(16).padStart(32, '0'),
        from: peer,
        excerpt: peer,
        timestamp,
        delivery: 'delivered',
      },
    })),
    messages: [
      {
        id: 'f'.repeat(32),
        from: ONE,
        to: 'alice',
        content: ONE,
        timestamp,
        delivery: 'delivered',
      },
    ],
  }
  const api = /\/(requests|peers|contacts|conversations|messages)(\?.*)?$/
  await context.route(api, (route) => {
    const what = api.exec(route.request().url())?.[1] ?? ''
    return route.fulfill({ json: { [what]: answers[what] } })
  })
  await context.route(/\/read$/, (route) => route.fulfill({ json: { status: 'read', told: true } }))
  const a = await visit(alice)
  const requests = a.getByTestId('requests').getByRole('listitem')
  await expect(requests).toHaveCount(PAYLOADS.length)
  expect(await requests.locator('bdi').allTextContents()).toEqual(PAYLOADS)
  expect(await requests.locator('p').allTextContents()).toEqual(PAYLOADS)
  const names = a.getByTestId('conversations').locator('bdi.name')
  await expect(names).toHaveCount(99)
  expect((await names.allTextContents()).toSorted()).toEqual(PAYLOADS.slice(0, 99).toSorted())
  await unharmed(a)
  await names.filter({ hasText: ONE }).first().click()
  await expect(a.getByRole('heading', { level: 1, name: ONE })).toBeVisible()
  await unharmed(a)
  for (const item of ['rename', 'remove']) {
    await a.getByTestId('contact-menu').click()
    await a.getByTestId(item).click()
    await expect(a.getByRole('dialog')).toBeVisible()
    await unharmed(a)
    await a.keyboard.press('Escape')
    await expect(a.getByRole('dialog')).toBeHidden()
  }
})

test('as what is typed for a name, a name of one’s own, or a link', async ({
  context,
  alice,
  bob,
  visit,
  complaints,
}) => {
  complaints.excuse(/the server responded with a status of (400|409|422)/)
  const unharmed = guard(context)
  await bob.goOnline()
  const a = await visit(alice)
  const some = PAYLOADS.filter((_, n) => n % 19 === 0)
  for (const payload of some) {
    await a.locator('#username').fill(payload)
    await a.locator('#username').press('Enter')
    await expect(a.getByRole('alert')).toBeVisible()
  }
  await unharmed(a)
  await start(a, 'alice')
  await alice.connect(bob)
  // The program itself takes none of them for a name or a link.
  for (const payload of PAYLOADS.filter((payload) => payload.includes('<') || payload.includes("'"))) {
    await expect(alice.call('PATCH', '/contacts/bob', { name: payload })).rejects.toThrow('422')
    await expect(alice.call('POST', '/contacts', { link: payload })).rejects.toThrow('422')
    const link = `chatp2p:${'A'.repeat(72)}/${encodeURIComponent(payload)}`
    await expect(alice.call('POST', '/contacts', { link })).rejects.toThrow('422')
  }
  await conversation(a, 'bob').click()
  await a.getByTestId('contact-menu').click()
  await a.getByTestId('rename').click()
  for (const payload of some) {
    await a.locator('#rename-name').fill(payload)
    await a.locator('#rename-name').press('Enter')
    await expect(a.getByRole('alert')).toBeVisible()
  }
  await unharmed(a)
  await a.keyboard.press('Escape')
  await a.getByTestId('menu').click()
  await a.getByTestId('add-contact').click()
  for (const payload of some) {
    await a.locator('#add-link').fill(payload)
    await a.locator('#add-link').press('Enter')
    await expect(a.getByRole('alert')).toBeVisible()
  }
  await unharmed(a)
})

test('as what strangers say who ask to be let in', async ({ context, invite, alice, bob, visit }) => {
  const unharmed = guard(context)
  const carol = await invite('carol', ['--inbound', 'requests'])
  await carol.goOnline()
  const c = await visit(carol)
  const texts = [PAYLOADS.slice(0, 12).join('\n'), PAYLOADS.slice(20, 30).join('\n')]
  for (const [n, stranger] of [alice, bob].entries()) {
    await stranger.goOnline()
    await stranger.connect(carol)
    await stranger.send(carol, texts[n] ?? '')
  }
  const requests = c.getByTestId('requests').getByRole('listitem')
  await expect(requests).toHaveCount(2)
  await expect(requests.locator('p').nth(1)).toContainText('onerror')
  expect((await requests.locator('p').allTextContents()).toSorted()).toEqual(texts.toSorted())
  await unharmed(c)
  await requests.filter({ hasText: 'alice' }).getByTestId('accept').click()
  await expect(message(c, 'onerror').locator('.text')).toHaveText(texts[0] ?? '', { useInnerText: false })
  await unharmed(c)
})
