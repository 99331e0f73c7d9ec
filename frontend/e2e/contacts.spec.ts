// Whom one knows: by link, by number, under names of one's own, and whom one would rather not.
import type { Page } from '@playwright/test'
import { inspect } from './inspect'
import { conversation, expect, message, test, write } from './stage'

const choose = async (page: Page, item: string) => {
  await page.getByTestId('contact-menu').click()
  await page.getByTestId(item).click()
}

test('a friend is added by link, compared, renamed, blocked and removed', async ({
  alice,
  bob,
  visit,
  say,
  complaints,
}) => {
  complaints.excuse(/the server responded with a status of (409|422)/)
  await alice.goOnline()
  await bob.goOnline()
  const { link } = (await bob.call('GET', '/identity')) as { link: string }
  const a = await visit(alice)
  await a.getByTestId('menu').click()
  await a.getByTestId('add-contact').click()
  const field = a.locator('#add-link')
  await field.fill(link.slice(0, -1))
  await field.press('Enter')
  await expect(a.getByRole('alert')).toHaveText(say('problems.invalid_link'))
  await inspect(a, 'a link that is none')
  await field.fill(link)
  await field.press('Enter')
  await expect(a.getByRole('heading', { level: 1, name: 'bob' })).toBeVisible()
  await a.getByTestId('reconnect').click()
  await expect(a.getByTestId('presence')).toHaveText(say('presence.connected'))

  await choose(a, 'safety')
  const number = a.getByTestId('safety-number')
  const { safety_number } = (await bob.call('GET', '/contacts/alice/safety-number')) as {
    safety_number: string
  }
  await expect(number).toHaveText(safety_number.replaceAll(' ', ''))
  await inspect(a, 'the safety number')
  await a.getByTestId('verify').click()
  await expect(a.getByTestId('verified')).toBeVisible()
  await inspect(a, 'verified')

  await write(a, 'hello')
  await bob.hears(['alice', 'hello'])
  await choose(a, 'rename')
  await a.locator('#rename-name').fill('alice')
  await a.locator('#rename-name').press('Enter')
  await expect(a.getByRole('alert')).toHaveText(say('problems.contact_name_taken'))
  await inspect(a, 'a name that is taken')
  await a.locator('#rename-name').fill('uncle')
  await a.locator('#rename-name').press('Enter')
  await expect(a).toHaveURL(/\/chats\/uncle$/)
  await expect(message(a, 'hello')).toBeVisible()
  await expect(conversation(a, 'bob')).toHaveCount(0)
  // By the name at the tracker it is the same conversation.
  await a.goto(`${alice.page}chats/bob`)
  await expect(a).toHaveURL(/\/chats\/uncle$/)
  await expect(message(a, 'hello')).toBeVisible()
  await expect(conversation(a, 'bob')).toHaveCount(0)

  await choose(a, 'block')
  await expect(a.getByTestId('presence')).toHaveText(say('contact.blocked'))
  await expect(bob.connect(alice)).rejects.toThrow('refused')
  await inspect(a, 'blocked')
  // Nothing can be written that would never go out, and it is undone where one sees it.
  await expect(a.getByTestId('composer')).toBeHidden()
  await a.getByTestId('unblock').click()
  await expect(a.getByTestId('composer')).toBeVisible()
  await bob.connect(alice)
  await choose(a, 'block')
  await expect(a.getByTestId('unblock')).toBeVisible()
  await choose(a, 'remove')
  await a.getByTestId('remove-sure').click()
  await expect(a).toHaveURL(/\/app\/$/)
  await expect(conversation(a, 'uncle')).toHaveCount(0)
  expect(await alice.messages()).toEqual([])
})

test('strangers wait at the door until they are let in', async ({ invite, alice, bob, visit, say }) => {
  const carol = await invite('carol', ['--inbound', 'requests'])
  await carol.goOnline()
  const c = await visit(carol)
  for (const stranger of [alice, bob]) {
    await stranger.goOnline()
    await stranger.connect(carol)
    await stranger.send(carol, `it is ${stranger.name}`)
  }
  const requests = c.getByTestId('requests').getByRole('listitem')
  await expect(requests).toHaveCount(2)
  await expect(requests.nth(0)).toContainText('it is alice')
  await inspect(c, 'requests')
  await requests.nth(1).getByTestId('refuse').click()
  await expect(requests).toHaveCount(1)
  await requests.nth(0).getByTestId('accept').click()
  await expect(c).toHaveURL(/\/chats\/alice$/)
  await expect(message(c, 'it is alice')).toBeVisible()
  await expect(c.getByTestId('presence')).toHaveText(say('presence.connected'), { timeout: 40_000 })
  await expect(requests).toHaveCount(0)
})
