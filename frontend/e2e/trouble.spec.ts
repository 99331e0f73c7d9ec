// When something is in the way: the page says so, and goes on by itself as soon as it can.
import { inspect } from './inspect'
import { conversation, expect, meet, message, messages, start, test, tick, write } from './stage'

const GONE = [/ERR_CONNECTION_REFUSED/, /ERR_CONNECTION_RESET/, /ERR_EMPTY_RESPONSE/, /WebSocket connection/]
const refused = (status: number) => new RegExp(`the server responded with a status of ${status}`)

test('when the program is gone the page waits, comes back and catches up', async ({
  alice,
  bob,
  visit,
  say,
  complaints,
}) => {
  complaints.excuse(...GONE)
  await meet(bob, alice)
  const a = await visit(alice, 'chats/bob')
  await write(a, 'one')
  await expect(tick(message(a, 'one'))).toHaveAttribute('data-delivery', 'delivered')
  await alice.program.end('SIGKILL')
  await expect(a.getByTestId('lost')).toContainText(say('live.lost'))
  await inspect(a, 'a program that is gone')
  await bob.send(alice, 'while she was away')
  // What is written now is not lost either: it says that it was not sent, and stays where it was begun.
  await write(a, 'into the void')
  await expect(a.getByText(say('problems.node_unreachable'))).toBeVisible()
  await alice.program.again()
  await expect(a.locator('#username')).toBeVisible({ timeout: 30_000 })
  await start(a, 'alice')
  await expect(messages(a).locator('.text')).toHaveText(['one', 'while she was away'])
  await expect(a.getByTestId('composer')).toHaveValue('into the void')
  await expect(a.getByTestId('lost')).toBeHidden()
})

test('a line that was cut is taken up again, and nothing that happened meanwhile is missing', async ({
  alice,
  bob,
  visit,
  say,
}) => {
  await meet(alice, bob)
  await alice.send(bob, 'before')
  const a = await visit(alice, 'chats/bob')
  await expect(tick(message(a, 'before'))).toHaveAttribute('data-delivery', 'delivered')
  // From here on the line to the page is in our hands.
  let cut = () => {}
  let mended = () => {}
  let mend = Promise.resolve()
  let opened = () => {}
  const open = new Promise<void>((done) => (opened = done))
  await a.routeWebSocket('**/ws', async (line) => {
    await mend
    line.connectToServer()
    cut = () => {
      mend = new Promise((done) => (mended = done))
      void line.close({ code: 1012 })
    }
    opened()
  })
  await a.reload()
  await expect(message(a, 'before')).toBeVisible()
  // The history may be faster than the line.
  await open
  cut()
  await expect(a.getByTestId('lost')).toContainText(say('live.lost'))
  // Each speaks when the other was heard: what two say at once stands in either order.
  await bob.send(alice, 'missed 1')
  await alice.hears(['alice', 'before'], ['bob', 'missed 1'])
  await alice.send(bob, 'missed 2')
  await bob.hears(['alice', 'before'], ['bob', 'missed 1'], ['alice', 'missed 2'])
  await bob.send(alice, 'missed 3')
  await alice.hears(['alice', 'before'], ['bob', 'missed 1'], ['alice', 'missed 2'], ['bob', 'missed 3'])
  await expect(messages(a)).toHaveCount(1)
  mended()
  await expect(a.getByTestId('lost')).toBeHidden()
  await expect(messages(a).locator('.text')).toHaveText(['before', 'missed 1', 'missed 2', 'missed 3'])
  await expect(tick(message(a, 'missed 2'))).toHaveAttribute('data-delivery', 'delivered')
})

test('what is written while the program is away can be sent again', async ({
  alice,
  bob,
  visit,
  say,
  complaints,
}) => {
  complaints.excuse(...GONE)
  await meet(alice, bob)
  const a = await visit(alice, 'chats/bob')
  await expect(a.getByTestId('presence')).toHaveText(say('presence.connected'))
  await a.route('**/send', (route) => route.abort('connectionrefused'))
  await write(a, 'again and again')
  await expect(a.getByText(say('problems.node_unreachable'))).toBeVisible()
  await expect(tick(message(a, 'again and again'))).toHaveAttribute('data-delivery', 'failed')
  await inspect(a, 'a message that was not sent')
  await a.unroute('**/send')
  await a.getByRole('button', { name: say('chat.retry') }).click()
  await expect(tick(message(a, 'again and again'))).toHaveAttribute('data-delivery', 'delivered')
  await bob.hears(['alice', 'again and again'])
  await expect(messages(a)).toHaveCount(1)
})

test('a name that is taken, and a tracker that is not there, are said in words', async ({
  alice,
  bob,
  visit,
  say,
  complaints,
}) => {
  complaints.excuse(refused(409), refused(502), refused(422))
  await bob.goOnline()
  const a = await visit(alice)
  const problem = a.getByRole('alert')
  for (const [name, key] of [
    ['bob', 'problems.name_taken'],
    ['Bob', 'problems.name_confusable'],
  ] as const) {
    await a.locator('#username').fill(name)
    await a.locator('#username').press('Enter')
    await expect(problem).toHaveText(say(key))
  }
  await a.locator('summary').click()
  await a.locator('#tracker').fill('http://127.0.0.1:1')
  await a.locator('#username').fill('alice')
  await a.locator('#username').press('Enter')
  await expect(problem).toHaveText(say('problems.tracker_unreachable'))
  await a.locator('#username').fill('two words')
  await a.locator('#tracker').fill('')
  await a.locator('#username').press('Enter')
  await expect(problem).toHaveAttribute('data-code', 'invalid_input')
  await start(a, 'alice')
})

test('somebody who cannot be reached is said to be so', async ({ alice, bob, visit, say, complaints }) => {
  complaints.excuse(refused(400))
  await alice.goOnline()
  await bob.goOnline()
  const a = await visit(alice)
  await a.getByTestId('people').getByText('bob').click()
  await bob.program.end('SIGKILL')
  await a.getByTestId('connect').click()
  await expect(a.getByRole('alert')).toHaveText(say('problems.unreachable'))
})

test('a link can be closed and opened again', async ({ alice, bob, visit, say }) => {
  await meet(alice, bob)
  const [a, b] = [await visit(alice, 'chats/bob'), await visit(bob, 'chats/alice')]
  await a.getByTestId('disconnect').click()
  for (const page of [a, b]) await expect(page.getByTestId('presence')).toHaveText(say('presence.available'))
  await a.getByTestId('reconnect').click()
  for (const page of [a, b]) await expect(page.getByTestId('presence')).toHaveText(say('presence.connected'))
})

test('another key under a known name is a warning, and the user decides', async ({
  alice,
  bob,
  tracker,
  visit,
  say,
  complaints,
}) => {
  complaints.excuse(refused(400))
  await meet(alice, bob)
  await alice.send(bob, 'to the old bob')
  await bob.hears(['alice', 'to the old bob'])
  // A tracker that has forgotten who owned the name lists whoever comes first.
  await tracker.end()
  const newBob = await bob.reinstall()
  await tracker.again()
  await newBob.goOnline()
  // It has forgotten her as well, until she says that she is there.
  await alice.call('POST', '/stop')
  await alice.goOnline()
  const a = await visit(alice, 'chats/bob')
  await expect(a.getByTestId('presence')).not.toHaveText(say('presence.connected'))
  const warning = a.getByTestId('key-changed')
  // Whoever it is tries to come in, and she is told.
  await expect(newBob.connect(alice)).rejects.toThrow()
  await expect(warning).toContainText(say('key.title', { name: 'bob' }))
  // So she is when she tries herself.
  await a.reload()
  await expect(warning).toBeHidden()
  await a.getByTestId('reconnect').click()
  await expect(warning).toContainText(say('key.title', { name: 'bob' }))
  await write(a, 'can you read this?')
  await expect(tick(message(a, 'can you read this?'))).toHaveAttribute('data-delivery', 'queued')
  expect(await newBob.messages()).toEqual([])
  await inspect(a, 'another key')
  await warning.getByRole('button').click()
  await expect(a.getByTestId('accept-key')).toBeVisible()
  await inspect(a, 'whether to believe it')
  await a.getByTestId('accept-key').hover()
  await inspect(a, 'almost believed')
  await a.getByTestId('accept-key').click()
  await expect(a.getByTestId('presence')).toHaveText(say('presence.connected'))
  await expect(tick(message(a, 'can you read this?'))).toHaveAttribute('data-delivery', 'failed')
  await expect(warning).toBeHidden()
  await write(a, 'and now?')
  await newBob.hears(['alice', 'and now?'])
  await newBob.program.end()
})

test('with whom nobody can be meant any more, one connects before one writes', async ({
  alice,
  bob,
  visit,
}) => {
  await meet(alice, bob)
  await alice.send(bob, 'to the key that is known')
  const a = await visit(alice, 'chats/bob')
  await expect(tick(message(a, 'to the key'))).toHaveAttribute('data-delivery', 'delivered')
  await alice.call('DELETE', '/contacts/bob/key')
  await expect(a.getByTestId('composer')).toBeHidden()
  await a.reload()
  await expect(message(a, 'to the key')).toBeVisible()
  await expect(a.getByTestId('composer')).toBeHidden()
  await a.getByTestId('connect').click()
  await write(a, 'hello again')
  await expect(tick(message(a, 'hello again'))).toHaveAttribute('data-delivery', 'delivered')
})

test('an address that leads nowhere says so and leads back', async ({ alice, bob, visit, say }) => {
  await meet(alice, bob)
  const a = await visit(alice, 'no/such/place')
  await expect(a.getByRole('heading', { name: say('missing.title') })).toBeVisible()
  await a.getByRole('link', { name: say('missing.home') }).click()
  await expect(conversation(a, 'bob')).toBeVisible()
})
