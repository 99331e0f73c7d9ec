// A peer that asks for tokens: its page is opened by a link, once, and by nothing else.
import { inspect } from './inspect'
import { expect, message, start, test, tick, write } from './stage'

const REFUSED = [/status of 40[13]/, /WebSocket connection/]
const SECRET = /chatp2p_|code=/

test('a link opens the page once, and the page stays open when it is loaded again', async ({
  invite,
  bob,
  context,
  say,
  complaints,
}) => {
  complaints.excuse(...REFUSED)
  const carol = await invite('carol', ['--require-token'])
  await bob.goOnline()
  const link = carol.link()
  const page = await context.newPage()
  await page.goto(link)
  await start(page, 'carol')
  // Nothing of it is left where somebody could find it.
  await expect(page).toHaveURL(/\/app\/$/)
  const left = await page.evaluate(() => [location.href, document.cookie, ...Object.values(localStorage)])
  expect(left.filter((text) => SECRET.test(text))).toEqual([])

  await page.goto(`${carol.page}chats/bob`)
  await page.getByRole('button', { name: say('chat.connect'), exact: true }).click()
  await write(page, 'let in')
  await expect(tick(message(page, 'let in'))).toHaveAttribute('data-delivery', 'delivered')
  // What comes in comes by the socket, which has no token but a ticket.
  await bob.call('POST', '/send', { peer_username: 'carol', content: 'seen at once' })
  await expect(message(page, 'seen at once')).toBeVisible()
  await page.reload()
  await expect(message(page, 'seen at once')).toBeVisible()
  await bob.call('POST', '/send', { peer_username: 'carol', content: 'seen after that too' })
  await expect(message(page, 'seen after that too')).toBeVisible()
  await expect(page.getByTestId('lost')).toBeHidden()

  // Somebody finds the link.
  const second = await context.newPage()
  await second.goto(link)
  const locked = second.getByTestId('locked')
  await expect(locked).toContainText(say('problems.link_invalid'))
  await expect(locked).toContainText('chatp2p-peer link')
  expect(second.url()).not.toMatch(SECRET)
  // Whoever is in stays in.
  await page.goto(link)
  await expect(page.getByTestId('me')).toHaveText('carol')

  // The other one gets a link too, and goes its own way.
  await second.goto(carol.link())
  await expect(second.getByTestId('me')).toHaveText('carol')
  for (const id of carol.tokens()) carol.revoke(id)
  for (const tab of [page, second]) {
    await expect(tab.getByTestId('locked')).toContainText(say('problems.token_invalid'))
  }
})

test('without a link the page shows how to get one, and its address leads it nowhere else', async ({
  invite,
  context,
  say,
  complaints,
}) => {
  complaints.excuse(...REFUSED)
  const carol = await invite('carol', ['--require-token'])
  const page = await context.newPage()
  for (const address of ['', 'chats/bob', '?api=http://127.0.0.1:1&peer=http://127.0.0.1:1', '#code=guess']) {
    await page.goto('about:blank')
    await page.goto(carol.page + address)
    const locked = page.getByTestId('locked')
    await expect(locked).toContainText(
      say(`problems.${address.startsWith('#') ? 'link_invalid' : 'token_required'}`),
    )
    await expect(locked).toContainText('chatp2p-peer link')
  }
  await inspect(page, 'locked')
  await page.goto(carol.link())
  await start(page, 'carol')
})

test('the documentation tries the API with a token that one gives it', async ({
  invite,
  context,
  complaints,
}) => {
  complaints.excuse(...REFUSED)
  const carol = await invite('carol', ['--require-token'])
  const page = await context.newPage()
  await page.goto(`http://localhost:${carol.program.port}/docs#/Node/status`)
  const operation = page.locator('#operations-Node-status')
  const answered = operation.locator('.live-responses-table tbody .response-col_status').first()
  await operation.getByRole('button', { name: 'Try it out' }).click()
  await operation.getByRole('button', { name: 'Execute' }).click()
  await expect(answered).toContainText('401')
  await page.getByRole('button', { name: 'Authorize', exact: true }).click()
  const dialog = page.locator('.dialog-ux')
  await dialog.locator('input').fill(carol.token('read'))
  await dialog.getByRole('button', { name: 'Apply credentials' }).click()
  await dialog.getByRole('button', { name: 'Close' }).last().click()
  await operation.getByRole('button', { name: 'Execute' }).click()
  await expect(answered).toContainText('200')
})
