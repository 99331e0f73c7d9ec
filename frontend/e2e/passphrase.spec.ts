// What lies on the disk is locked and unlocked from the page.
import { inspect } from './inspect'
import { expect, message, start, test, write } from './stage'

test('a passphrase is set, asked for at the next start, and taken away', async ({
  alice,
  bob,
  visit,
  say,
  complaints,
}) => {
  complaints.excuse(/the server responded with a status of 409/)
  await alice.goOnline()
  await bob.goOnline()
  await alice.connect(bob)
  const a = await visit(alice, 'chats/bob')
  await write(a, 'before the lock')
  await bob.hears(['alice', 'before the lock'])

  const dialog = a.getByRole('dialog')
  const go = a.getByTestId('change-passphrase')
  const open = async () => {
    await a.getByTestId('menu').click()
    await a.getByTestId('passphrase').click()
  }
  await open()
  await expect(a.locator('#passphrase-present')).toHaveCount(0)
  await expect(go).toBeDisabled()
  await a.locator('#passphrase-new').fill('correct horse')
  await a.locator('#passphrase-again').fill('correct house')
  await expect(a.getByRole('alert')).toHaveText(say('passphrase.differs'))
  await expect(go).toBeDisabled()
  await inspect(a, 'a passphrase that was mistyped')
  await a.locator('#passphrase-again').fill('correct horse')
  await go.click()
  await expect(dialog).toBeHidden()
  await expect(a.getByTestId('notice')).toContainText(say('passphraseChanged'))

  await alice.call('POST', '/stop')
  const name = a.locator('#username')
  await name.fill('alice')
  await name.press('Enter')
  const passphrase = a.locator('#passphrase')
  await expect(passphrase).toBeFocused()
  await inspect(a, 'a name that is locked')
  await passphrase.fill('correct house')
  await passphrase.press('Enter')
  await expect(a.getByRole('alert')).toHaveText(say('problems.passphrase_wrong'))
  // Another name is none of its business.
  await name.fill('alicia')
  await expect(passphrase).toHaveCount(0)
  await name.fill('alice')
  await passphrase.fill('correct horse')
  await passphrase.press('Enter')
  await expect(a.getByTestId('me')).toHaveText('alice')
  await expect(message(a, 'before the lock')).toBeVisible()

  await open()
  await expect(go).toHaveText(say('passphrase.remove'))
  await a.locator('#passphrase-present').fill('correct house')
  await go.click()
  await expect(a.getByRole('alert')).toHaveText(say('problems.passphrase_wrong'))
  await inspect(a, 'a passphrase that is not the one')
  await a.locator('#passphrase-present').fill('correct horse')
  await go.click()
  await expect(dialog).toBeHidden()
  await alice.call('POST', '/stop')
  await start(a, 'alice')
})

test('the contact link is there to be scanned and to be copied', async ({ alice, visit, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await alice.goOnline()
  const { link } = (await alice.call('GET', '/identity')) as { link: string }
  const a = await visit(alice)
  await a.getByTestId('menu').click()
  await a.getByTestId('my-link-item').click()
  await expect(a.getByTestId('my-link')).toHaveText(link)
  await expect(a.getByRole('img')).toBeVisible()
  await inspect(a, 'the contact link')
  await a.getByTestId('copy-link').click()
  await expect(a.getByRole('dialog')).toBeHidden()
  expect(await a.evaluate(() => navigator.clipboard.readText())).toBe(link)
})
