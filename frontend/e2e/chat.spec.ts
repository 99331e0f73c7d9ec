// Two people who chat by the page alone.
import { conversation, expect, meet, message, messages, start, test, tick, write } from './stage'

const EMOJI = '¡Hola! 👩‍👩‍👧‍👦 🇪🇸 👍🏽 ñandú ‏שלום'
const MARKUP =
  '<img src=x onerror="document.title=1"> <script>alert(1)</script> &amp; **b** {{ 7*7 }}\n  two  spaces'
const LONG = Array.from({ length: 60_000 }, (_, n) => 'lorem ipsum '[n % 12]).join('')

test('they start, see each other, connect, and say to each other what they like', async ({
  alice,
  bob,
  visit,
  say,
}) => {
  const [a, b] = [await visit(alice), await visit(bob)]
  await start(a, 'alice')
  await start(b, 'bob')

  // Each appears with the other, and one click and one more makes a link.
  await a.getByTestId('people').getByText('bob').click()
  await a.getByTestId('connect').click()
  await expect(a.getByTestId('presence')).toHaveText(say('presence.connected'))
  await expect(conversation(b, 'alice')).toBeVisible()

  await write(a, EMOJI)
  await expect(tick(message(a, '¡Hola!'))).toHaveAttribute('data-delivery', 'delivered')
  await expect(tick(message(a, '¡Hola!'))).toContainText(say('delivery.delivered'))
  // Nobody looks at it yet: it is counted, in the list and in the title.
  await expect(conversation(b, 'alice').locator('.count')).toContainText('1')
  await expect(b).toHaveTitle('(1) chatp2p')
  await conversation(b, 'alice').click()
  await expect(message(b, '¡Hola!').locator('.text')).toHaveText(EMOJI)
  await b.bringToFront()
  await expect(b).toHaveTitle('chatp2p')
  await expect(tick(message(a, '¡Hola!'))).toHaveAttribute('data-delivery', 'read')
  await expect(tick(message(a, '¡Hola!'))).toContainText(say('delivery.read'))

  await write(b, MARKUP)
  await expect(message(a, 'onerror').locator('.text')).toHaveText(MARKUP, { useInnerText: false })
  expect(await message(a, 'onerror').locator('.text').textContent()).toBe(MARKUP)
  await expect(message(a, 'onerror').locator('.text').locator('*')).toHaveCount(0)

  await write(b, LONG)
  const long = messages(a).last()
  await expect(long.locator('.more')).toBeVisible()
  expect((await long.locator('.text').textContent())?.length).toBeLessThan(3_000)
  await long.locator('.more').click()
  expect(await long.locator('.text').textContent()).toBe(LONG)

  await alice.hears(['alice', EMOJI], ['bob', MARKUP], ['bob', LONG])
  await bob.hears(['alice', EMOJI], ['bob', MARKUP], ['bob', LONG])
})

test('one message goes to everybody who is connected', async ({ alice, bob, visit, say }) => {
  const [a, b] = [await visit(alice), await visit(bob)]
  await start(a, 'alice')
  await start(b, 'bob')
  await alice.connect(bob)
  await expect(conversation(a, 'bob')).toBeVisible()
  await a.getByTestId('menu').click()
  await a.getByTestId('broadcast').click()
  const dialog = a.getByRole('dialog')
  await expect(dialog).toContainText('bob')
  await dialog.getByRole('textbox').fill('to all: 100 % & more?')
  await dialog.getByRole('button', { name: say('composer.send') }).click()
  await expect(dialog).toBeHidden()
  await expect(a.getByTestId('notice')).toContainText(say('broadcast.sent'))
  await conversation(b, 'alice').click()
  await expect(message(b, 'to all').locator('.text')).toHaveText('to all: 100 % & more?')
  await expect(conversation(a, 'bob')).toContainText('to all')
})

test('what is said to somebody who is away waits and arrives when they return', async ({
  alice,
  bob,
  visit,
  say,
}) => {
  const [a, b] = [await visit(alice), await visit(bob)]
  await start(a, 'alice')
  await start(b, 'bob')
  await alice.connect(bob)
  await conversation(a, 'bob').click()
  await write(a, 'are you there?')
  await expect(tick(message(a, 'are you there?'))).toHaveAttribute('data-delivery', 'delivered')

  await b.getByTestId('menu').click()
  await b.getByTestId('stop').click()
  await b
    .getByRole('dialog')
    .getByRole('button', { name: say('stop.go'), exact: true })
    .click()
  await expect(b.locator('#username')).toHaveValue('bob')
  await expect(a.getByTestId('waits')).toHaveText(say('chat.waits', { name: 'bob' }))
  for (const n of [1, 2, 3]) await write(a, `waiting ${n}`)
  for (const n of [1, 2, 3]) {
    await expect(tick(message(a, `waiting ${n}`))).toHaveAttribute('data-delivery', 'queued')
    await expect(tick(message(a, `waiting ${n}`))).toContainText(say('delivery.queued'))
  }

  await start(b, 'bob')
  for (const n of [1, 2, 3])
    await expect(tick(message(a, `waiting ${n}`))).toHaveAttribute('data-delivery', 'delivered')
  await conversation(b, 'alice').click()
  await expect(messages(b).locator('.text')).toHaveText([
    'are you there?',
    'waiting 1',
    'waiting 2',
    'waiting 3',
  ])
  await expect(b.getByTestId('new-line')).toBeVisible()
  await expect(a.getByTestId('waits')).toBeHidden()
})

test('a reload loses nothing, not even what was begun', async ({ alice, bob, visit }) => {
  await meet(alice, bob)
  const a = await visit(alice, 'chats/bob')
  await write(a, 'before')
  await expect(tick(message(a, 'before'))).toHaveAttribute('data-delivery', 'delivered')
  await a.getByTestId('composer').fill('half a thou')
  await a.reload()
  await expect(a).toHaveURL(/\/app\/chats\/bob$/)
  await expect(messages(a).locator('.text')).toHaveText(['before'])
  await expect(tick(message(a, 'before'))).toHaveAttribute('data-delivery', 'delivered')
  await expect(a.getByTestId('composer')).toHaveValue('half a thou')
  await a.getByTestId('composer').press('Enter')
  await bob.hears(['alice', 'before'], ['alice', 'half a thou'])
})

test('a message is shown once, though the event of it is faster than the answer', async ({
  alice,
  bob,
  visit,
}) => {
  await meet(alice, bob)
  const a = await visit(alice, 'chats/bob')
  let answer = () => {}
  await a.route('**/send', async (route) => {
    const response = await route.fetch()
    await new Promise<void>((done) => (answer = done))
    await route.fulfill({ response })
  })
  await write(a, 'once')
  await expect(tick(message(a, 'once'))).toHaveAttribute('data-delivery', 'delivered')
  await expect(messages(a)).toHaveCount(1)
  const answered = a.waitForResponse('**/send')
  answer()
  await answered
  await expect(messages(a)).toHaveCount(1)
  await expect(tick(message(a, 'once'))).toHaveAttribute('data-delivery', 'delivered')
})

test('two tabs agree', async ({ alice, bob, visit, complaints }) => {
  // A tab may ask who is there in the moment in which the other one stops the node.
  complaints.excuse(/the server responded with a status of 400/)
  await meet(alice, bob)
  const [one, two] = [await visit(alice, 'chats/bob'), await visit(alice, 'chats/bob')]
  await write(one, 'from one')
  await write(two, 'from two')
  await bob.send(alice, 'from bob')
  for (const page of [one, two]) {
    await expect(messages(page)).toHaveCount(3)
    await expect(tick(message(page, 'from one'))).toHaveAttribute('data-delivery', 'delivered')
    await expect(tick(message(page, 'from two'))).toHaveAttribute('data-delivery', 'delivered')
    expect((await messages(page).locator('.text').allTextContents()).sort()).toEqual([
      'from bob',
      'from one',
      'from two',
    ])
  }
  expect(await messages(one).locator('.text').allTextContents()).toEqual(
    await messages(two).locator('.text').allTextContents(),
  )

  // What is read in one is read in the other, and what stops in one stops in the other.
  await one.goto(`${alice.page}`)
  await two.goto(`${alice.page}`)
  await bob.send(alice, 'unread')
  for (const page of [one, two]) await expect(conversation(page, 'bob').locator('.count')).toContainText('1')
  await conversation(one, 'bob').click()
  await one.bringToFront()
  await expect(conversation(two, 'bob').locator('.count')).toBeHidden()
  await alice.call('POST', '/stop')
  for (const page of [one, two]) await expect(page.locator('#username')).toBeVisible()
  await start(two, 'alice')
  await expect(one.getByTestId('me')).toHaveText('alice')
})
