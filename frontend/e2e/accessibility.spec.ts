// Who cannot see the page, or uses no mouse, or has a small screen, can do everything.
import { inspect } from './inspect'
import { conversation, expect, meet, message, messages, start, test, tick } from './stage'

// What the menus lead to, and what is to be seen once it is there in full.
const MENUS = {
  menu: {
    broadcast: '#broadcast-text',
    'add-contact': '#add-link',
    'my-link-item': '[data-test=my-link]',
    'copy-key': '[data-test=notice]',
    connection: '[data-test=advertised]',
    passphrase: '#passphrase-new',
    stop: '[role=dialog]',
  },
  'contact-menu': {
    why: '[data-step=found]',
    safety: '[role=dialog] svg[role=img]',
    rename: '#rename-name',
    block: '[data-presence=blocked]',
    remove: '[data-test=remove-sure]',
  },
}

test('every screen passes the rules', async ({ alice, bob, visit, say, complaints }) => {
  // Each look at the page costs the browser a second or two.
  test.slow()
  complaints.excuse(/the server responded with a status of 4/)
  await bob.goOnline()
  const a = await visit(alice)
  await a.locator('summary').click()
  await inspect(a, 'start')
  await a.locator('#username').fill('bob')
  await a.locator('#username').press('Enter')
  await expect(a.getByRole('alert')).toBeVisible()
  await inspect(a, 'start, refused')
  await start(a, 'alice')
  await expect(a.getByTestId('people')).toBeVisible()
  await inspect(a, 'home')
  await a.getByTestId('people').getByText('bob').click()
  await expect(a.getByTestId('connect')).toBeVisible()
  await inspect(a, 'stranger')
  await a.getByTestId('connect').click()
  await expect(a.getByTestId('composer')).toBeVisible()
  await inspect(a, 'empty conversation')
  await alice.send(bob, 'hello https://example.org')
  await bob.send(alice, 'x'.repeat(5_000))
  await bob.send(alice, '👋')
  await expect(messages(a)).toHaveCount(3)
  await expect(tick(message(a, 'hello'))).toHaveAttribute('data-delivery', 'delivered')
  await inspect(a, 'conversation')
  await bob.program.end()
  await expect(a.getByTestId('waits')).toBeVisible()
  await alice.send(bob, 'still here')
  await inspect(a, 'somebody who is away')
  await a.goto(`${alice.page}nowhere`)
  await expect(a.getByRole('heading', { name: say('missing.title') })).toBeVisible()
  await inspect(a, 'nowhere')
})

test('every menu passes the rules, and so does whatever it leads to', async ({
  alice,
  bob,
  visit,
  context,
}) => {
  test.slow()
  await context.grantPermissions(['clipboard-write'])
  await meet(alice, bob)
  const a = await visit(alice, 'chats/bob')
  await bob.program.end()
  await expect(a.getByTestId('waits')).toBeVisible()
  for (const [menu, items] of Object.entries(MENUS)) {
    await a.getByTestId(menu).click()
    await inspect(a, menu)
    const offered = await a
      .locator('[role=menuitem]:not([href])')
      .evaluateAll((items: HTMLElement[]) => items.map(({ dataset }) => dataset.test))
    expect(offered, 'what is looked at').toEqual(Object.keys(items))
    await a.keyboard.press('Escape')
    for (const [item, there] of Object.entries(items)) {
      await a.getByTestId(menu).click()
      await a.getByTestId(item).click()
      await expect(a.locator(there)).toBeVisible()
      await inspect(a, item)
      await a.keyboard.press('Escape')
    }
  }
})

test('the keyboard is enough', async ({ alice, bob, visit, say }) => {
  await bob.goOnline()
  const a = await visit(alice)
  await expect(a.locator('#username')).toBeFocused()
  await a.keyboard.type('alice')
  await a.keyboard.press('Enter')
  await expect(a.getByTestId('people').getByText('bob')).toBeVisible()
  await a.keyboard.press('Control+k')
  await a.keyboard.type('bo')
  await a.keyboard.press('Tab')
  await a.keyboard.press('Enter')
  const connect = a.getByTestId('connect')
  await expect(connect).toBeVisible()
  for (let n = 0; n < 10 && !(await connect.evaluate((button) => button === document.activeElement)); n++)
    await a.keyboard.press('Tab')
  await a.keyboard.press('Enter')
  await expect(a.getByTestId('composer')).toBeFocused()
  await a.keyboard.type('one line')
  await a.keyboard.press('Shift+Enter')
  await a.keyboard.type('and another')
  await a.keyboard.press('Enter')
  await bob.hears(['alice', 'one line\nand another'])
  await a.getByTestId('menu').focus()
  await a.keyboard.press('Enter')
  await a.keyboard.press('Enter')
  const dialog = a.getByRole('dialog', { name: say('broadcast.title') })
  await expect(dialog.getByRole('textbox')).toBeFocused()
  await a.keyboard.press('Escape')
  await expect(dialog).toBeHidden()
})

test('new messages are announced once, and the list itself stays silent', async ({
  alice,
  bob,
  visit,
  say,
}) => {
  await meet(bob, alice)
  const a = await visit(alice, 'chats/bob')
  await expect(a.getByTestId('presence')).toHaveText(say('presence.connected'))
  await bob.send(alice, 'listen')
  await expect(a.getByTestId('announcer')).toHaveText(say('says.news', { name: 'bob', text: 'listen' }))
  for (const n of [1, 2, 3]) await bob.send(alice, `more ${n}`)
  await expect(a.getByTestId('announcer')).toHaveText(say('says.many', { name: 'bob', n: 3 }))
  await expect(a.getByTestId('timeline').locator('[aria-live], [role=log], [role=status]')).toHaveCount(0)
})

test('a narrow screen and large letters cut nothing off', async ({ alice, bob, visit, say }) => {
  await meet(bob, alice)
  await bob.send(alice, `${'unbroken'.repeat(60)} https://example.org/${'path/'.repeat(60)}`)
  const a = await visit(alice)
  await a.setViewportSize({ width: 320, height: 568 })
  // Nothing that one uses lies outside, and nothing has to be scrolled sideways.
  const outside = () =>
    a.evaluate(() => {
      const used = [...document.querySelectorAll('a, button, input, textarea, h1')].filter((element) => {
        const { left, right } = element.getBoundingClientRect()
        return left < -1 || right > innerWidth + 1
      })
      const scrolled = [...document.querySelectorAll('*')].filter(
        (element) =>
          /auto|scroll/.test(getComputedStyle(element).overflowX) &&
          element.scrollWidth > element.clientWidth + 1,
      )
      const wide = document.documentElement.scrollWidth > innerWidth ? [document.documentElement] : []
      return [...used, ...scrolled, ...wide].map(
        (element) => `${element.tagName} ${element.className} ${element.textContent.slice(0, 60)}`,
      )
    })
  await expect(conversation(a, 'bob')).toBeVisible()
  expect(await outside()).toEqual([])
  await conversation(a, 'bob').click()
  await expect(message(a, 'unbroken')).toBeVisible()
  expect(await outside()).toEqual([])
  // What 200 % does to a page: half the room.
  await a.evaluate(() => (document.documentElement.style.fontSize = '200%'))
  expect(await outside()).toEqual([])
  await a.getByRole('link', { name: say('chat.back') }).click()
  await expect(conversation(a, 'bob')).toBeVisible()
})
