// A long conversation in a real browser, against real peers, beside a page that does nothing: the baseline of the same run.
import { createServer } from 'node:http'
import type { Page } from '@playwright/test'
import { expect, meet, messages, test } from '../e2e/stage'

const MESSAGES = 10_000
const ROUNDS = 7

const median = (values: number[]) =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN

async function firstPaint(page: Page, url: string): Promise<number> {
  await page.goto(url)
  return page.evaluate(
    () =>
      new Promise<number>((done) => {
        const observer = new PerformanceObserver((list) => {
          const found = list.getEntriesByName('first-contentful-paint')[0]
          if (found) done(found.startTime)
        })
        observer.observe({ type: 'paint', buffered: true })
      }),
  )
}

test(`${MESSAGES} messages`, async ({ alice, bob, page, complaints }) => {
  complaints.excuse(/another host/)
  await meet(alice, bob)
  for (let n = 1; n <= MESSAGES; n++) await alice.send(bob, `number ${n} ${'word '.repeat(n % 23)}`)
  await expect
    .poll(async () => (await bob.messages()).at(-1)?.content, { timeout: 60_000 })
    .toContain(`number ${MESSAGES} `)

  const bare = createServer((_, answer) =>
    answer.setHeader('content-type', 'text/html').end('<title>bare</title><p>bare'),
  )
  await new Promise<void>((done) => bare.listen(0, '127.0.0.1', done))
  const address = bare.address()
  const nothing = `http://localhost:${typeof address === 'object' && address ? address.port : 0}/`
  const chat = `${bob.page}chats/alice`

  const paints: number[] = []
  const bares: number[] = []
  const readies: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    bares.push(await firstPaint(page, nothing))
    paints.push(await firstPaint(page, chat))
    await page.goto('about:blank')
    const begun = Date.now()
    await page.goto(chat, { waitUntil: 'commit' })
    await messages(page).last().waitFor()
    readies.push(Date.now() - begun)
  }

  // Everything there is, scrolled through from the end to the beginning.
  const frames = await page.evaluate(async () => {
    const box = document.querySelector('[data-test=timeline]') as HTMLElement
    const times: number[] = []
    let last = performance.now()
    // It may have to wait for the page before, so it is at the beginning only if it stays there.
    for (let still = 0; still < 60;) {
      box.scrollBy(0, -400)
      const now = await new Promise<number>((done) => requestAnimationFrame(done))
      times.push(now - last)
      last = now
      still = box.scrollTop === 0 ? still + 1 : 0
    }
    return times
  })
  const drawn = await messages(page).count()
  const typing: number[] = []
  await page.getByTestId('composer').focus()
  for (const letter of 'a keystroke takes so long') {
    const before = Date.now()
    await page.keyboard.type(letter)
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))))
    typing.push(Date.now() - before)
  }
  bare.close()

  const sorted = [...frames].sort((one, other) => one - other)
  const at = (part: number) => sorted[Math.floor((sorted.length - 1) * part)] ?? NaN
  console.table({
    'a page that does nothing: first paint (ms, median)': Math.round(median(bares)),
    'a chat: first paint (ms, median)': Math.round(median(paints)),
    'a chat: first paint, times the bare page': Number((median(paints) / median(bares)).toFixed(1)),
    'a chat: messages on show (ms, median)': Math.round(median(readies)),
    'scrolling to the beginning: frames': frames.length,
    'scrolling to the beginning: p50 (ms)': Number(at(0.5).toFixed(1)),
    'scrolling to the beginning: p95 (ms)': Number(at(0.95).toFixed(1)),
    'scrolling to the beginning: longest (ms)': Number(at(1).toFixed(1)),
    'a keystroke to the next frame (ms, median)': Math.round(median(typing)),
    'messages drawn, of all that were read': drawn,
  })
})
