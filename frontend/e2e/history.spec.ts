// A long conversation: only what is visible is drawn, and nothing jumps.
import { expect, meet, messages, test } from './stage'

const COUNT = 450

test('older messages come as one scrolls up, in order, and what one reads stays where it is', async ({
  alice,
  bob,
  visit,
  say,
}) => {
  await meet(alice, bob)
  const text = (n: number) => `number ${n} ${'word '.repeat(n % 23)}`.trim()
  for (let n = 1; n <= COUNT; n++) await alice.send(bob, text(n))
  await expect.poll(async () => (await bob.messages()).length).toBe(COUNT)
  const b = await visit(bob, 'chats/alice')
  await expect(messages(b).last().locator('.text')).toHaveText(text(COUNT))
  expect(await messages(b).count(), 'only some are drawn').toBeLessThan(60)

  // Scrolls to the beginning step by step and, after each step, watches: as long as nobody scrolls, nothing may move, whatever
  // comes in above.
  const { texts, moved, watched } = await b.getByTestId('timeline').evaluate(async (box, beginning) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done))
    const top = (article: Element) => article.getBoundingClientRect().top - box.getBoundingClientRect().top
    // Where somebody sees it: what has been drawn anew is measured, and put where it belongs, in the same frame. Of what
    // has left the page meanwhile nothing is known.
    const seen = async (article: Element) => {
      let at: number | undefined
      const watch = new IntersectionObserver(
        ([entry]) => (at = entry?.rootBounds ? entry.boundingClientRect.top - entry.rootBounds.top : at),
        { root: box },
      )
      watch.observe(article)
      for (let n = 0; n < 3 && at === undefined; n++) await frame()
      watch.disconnect()
      return at
    }
    const texts = new Set<string>()
    const moved: number[] = []
    let [steps, watched] = [0, 0]
    const sample = () => {
      for (const text of box.querySelectorAll('article .text')) texts.add(text.textContent)
    }
    // The newest ones are the first to leave the page.
    sample()
    // An older page may take as long as it wants: at the beginning is who is told so.
    const begun = () => box.scrollTop === 0 && box.textContent.includes(beginning)
    for (; !begun(); steps++) {
      box.scrollBy(0, -350)
      await frame()
      await frame()
      const first = [...box.querySelectorAll('article')].find((article) => top(article) > 0)
      const before = first && (await seen(first))
      for (let n = 0; n < 3; n++) await frame()
      const after = first && (await seen(first))
      if (first?.isConnected && before !== undefined && after !== undefined) {
        watched += 1
        if (Math.abs(after - before) > 2) moved.push(after - before)
      }
      sample()
    }
    return { texts: [...texts], moved, watched }
  }, say('chat.beginning'))
  expect(watched).toBeGreaterThan(60)
  expect(moved, 'what was read has moved').toEqual([])
  const seen = new Map(texts.map((text) => [Number(/^number (\d+)/.exec(text)?.[1]), text]))
  expect([...seen.keys()].sort((one, other) => one - other)).toEqual(
    Array.from({ length: COUNT }, (_, n) => n + 1),
  )
  for (const [n, shown] of seen) expect(shown).toBe(text(n))
  await expect(b.getByText(say('chat.beginning'))).toBeAttached()

  // A message that comes meanwhile takes nobody along.
  await expect(b.locator('.jump')).toBeVisible()
  await alice.send(bob, 'news')
  await expect(b.locator('.jump')).toContainText('1')
  await b.locator('.jump').click()
  await expect(messages(b).last().locator('.text')).toHaveText('news')
  await expect(b.locator('.jump')).toBeHidden()
})
