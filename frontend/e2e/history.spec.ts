// A long conversation: only what is visible is drawn, and nothing jumps.
import { expect, messages, test } from './stage'

const COUNT = 450

test('older messages come as one scrolls up, in order, and what one reads stays where it is', async ({
  alice,
  bob,
  visit,
  say,
}) => {
  await alice.goOnline()
  await bob.goOnline()
  await alice.connect(bob)
  const text = (n: number) => `number ${n} ${'word '.repeat(n % 23)}`.trim()
  for (let n = 1; n <= COUNT; n++) await alice.send(bob, text(n))
  await expect.poll(async () => (await bob.messages()).length).toBe(COUNT)
  const b = await visit(bob, 'chats/alice')
  await expect(messages(b).last().locator('.text')).toHaveText(text(COUNT))
  expect(await messages(b).count(), 'only some are drawn').toBeLessThan(60)

  const box = b.getByTestId('timeline')
  const seen = new Map<number, string>()
  const look = async () => {
    for (const shown of await messages(b).locator('.text').allTextContents()) {
      seen.set(Number(/^number (\d+)/.exec(shown)?.[1]), shown)
    }
  }
  await box.hover()
  await look()
  let jumps = 0
  const top = () =>
    box.evaluate((box) => {
      const edge = box.getBoundingClientRect().top
      const first = [...box.querySelectorAll('article')].find(
        (article) => article.getBoundingClientRect().top > edge,
      )
      return first && { id: first.dataset.id ?? '', top: first.getBoundingClientRect().top - edge }
    })
  const where = (id: string) =>
    box.evaluate((box, id) => {
      const found = box.querySelector(`[data-id="${id}"]`)
      return found && found.getBoundingClientRect().top - box.getBoundingClientRect().top
    }, id)
  await expect(async () => {
    const before = await top()
    await b.mouse.wheel(0, -500)
    await b.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
    await look()
    const now = before && (await where(before.id))
    // Scrolled by at most what the wheel says: nothing came in between.
    if (before && now !== null && now !== undefined && Math.abs(now - before.top) > 520) jumps += 1
    expect(seen.size).toBe(COUNT)
  }).toPass({ timeout: 60_000, intervals: [20] })
  expect(jumps).toBe(0)
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
