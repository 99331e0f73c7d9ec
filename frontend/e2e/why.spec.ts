// Why somebody is not connected, and how one's own node is reached: what really failed is what the page says.
import { inspect } from './inspect'
import { expect, meet, test } from './stage'

test.use({ permissions: ['clipboard-read', 'clipboard-write'] })

test('the step that failed is marked, in words, and can be copied', async ({
  alice,
  bob,
  tracker,
  visit,
  say,
  complaints,
}) => {
  // What is tried is refused, and the browser says so too.
  complaints.excuse(/the server responded with a status of 4/)
  await meet(alice, bob)
  const a = await visit(alice, 'chats/bob')
  await a.emulateMedia({ reducedMotion: 'reduce' })
  await expect(a.getByTestId('presence')).toHaveText(say('presence.connected'))
  await a.getByTestId('contact-menu').click()
  await expect(a.getByTestId('safety')).toBeVisible()
  await expect(a.getByTestId('why')).toHaveCount(0)
  await a.keyboard.press('Escape')

  // His computer answers, and his program does not run there.
  await bob.program.end('SIGKILL')
  await a.getByTestId('ask-why').focus()
  await a.keyboard.press('Enter')
  const dialog = a.getByRole('dialog', { name: say('why.title', { name: 'bob' }) })
  await dialog.getByTestId('try-now').click()
  await expect(dialog.getByTestId('verdict')).toContainText(say('problems.port_closed'))
  await expect(dialog.getByTestId('next')).toHaveText(say('next.port_closed'))
  const step = (name: string) => dialog.locator(`[data-step=${name}]`)
  await expect(step('resolved')).toHaveAttribute('data-state', 'ok')
  await expect(step('dialled')).toHaveAttribute('data-state', 'failed')
  await expect(step('dialled')).toContainText(say('why.states.failed'))
  await expect(step('secured')).toContainText(say('why.states.not_reached'))
  await dialog.locator('summary').click()
  await inspect(a, 'why')
  await dialog.getByTestId('copy-report').click()
  await expect(dialog).toContainText(say('copied'))
  const report = await a.evaluate(() => navigator.clipboard.readText())
  expect(report).toContain(`${say('why.steps.dialled')}: ${say('why.states.failed')}`)
  expect(report).toContain('port_closed: ')
  await a.keyboard.press('Escape')
  await expect(dialog).toBeHidden()

  // Nobody can say any more who has the name.
  await tracker.end('SIGKILL')
  await a.getByTestId('contact-menu').click()
  await a.getByTestId('why').click()
  await dialog.getByTestId('try-now').click()
  await expect(step('found')).toHaveAttribute('data-state', 'failed')
  await expect(dialog.getByTestId('verdict')).toContainText(say('problems.tracker_unreachable'))
  await a.keyboard.press('Escape')
  await a.getByTestId('menu').click()
  await a.getByTestId('connection').click()
  const own = a.getByRole('dialog', { name: say('own.title') })
  const site = own.getByTestId('trackers').getByRole('listitem')
  await expect(site).toHaveAttribute('data-code', 'tracker_unreachable')
  await expect(site).toContainText(say('own.silent'))
  await inspect(a, 'connection, with a tracker that is gone')

  await tracker.again()
  await own.getByTestId('ask-again').click()
  await expect(own.getByTestId('trackers')).toContainText(tracker.url)
  await expect(own.getByTestId('advertised')).toContainText('ws://127.0.0.1:')
  await inspect(a, 'connection')
})
