// Two who are never there at once write to each other by the mailbox of a third, and their pages say how far a message is.
import { inspect } from './inspect'
import type { Peer } from './peer'
import { conversation, expect, meet, message, test, tick, write } from './stage'

interface Status {
  mailbox?: { address?: string }
  mailboxes?: { confirmed?: string }[]
}

const status = async (peer: Peer) => (await peer.call('GET', '/status')) as Status

test('what is written to somebody who is away waits in a mailbox, and they have it when they are back', async ({
  invite,
  visit,
  say,
}) => {
  // Only programs of their own are told of a mailbox.
  const keeper = await invite('carol', ['--mailbox'])
  await keeper.goOnline()
  const uses = ['--use-mailbox', (await status(keeper)).mailbox?.address ?? '']
  const [dora, emil] = [await invite('dora', uses), await invite('emil', uses)]
  await meet(dora, emil)
  for (const reader of [dora, emil])
    await expect.poll(async () => (await status(reader)).mailboxes?.[0]?.confirmed).toBeTruthy()

  const d = await visit(dora, 'chats/emil')
  await write(d, 'until soon')
  await expect(tick(message(d, 'until soon'))).toHaveAttribute('data-delivery', 'delivered')
  await emil.program.end()
  await expect(d.getByTestId('waits')).toHaveText(say('chat.waits', { name: 'emil' }))
  await write(d, 'read this when you are back')
  const sign = tick(message(d, 'read this when you are back'))
  await expect(sign).toHaveAttribute('data-delivery', 'mailbox')
  await expect(sign).toHaveText(say('delivery.mailbox'))
  await expect(conversation(d, 'emil').locator('[data-delivery]')).toHaveAttribute('data-delivery', 'mailbox')
  await expect(d.getByTestId('waits')).toHaveText(say('chat.mailed', { name: 'emil' }))
  await inspect(d, 'in a mailbox')

  await d.getByTestId('ask-why').click()
  await expect(d.getByTestId('mail')).toHaveText(
    new RegExp(say('why.mailed', { at: '.+' }).replace(/[()]/g, '.')),
  )
  await inspect(d, 'why, with mail')
  await d.keyboard.press('Escape')

  // It is as it was when the page is loaded anew.
  await d.reload()
  await expect(sign).toHaveAttribute('data-delivery', 'mailbox')

  await emil.program.again()
  await emil.goOnline()
  await emil.hears(['dora', 'until soon'], ['dora', 'read this when you are back'])
  await expect(sign).toHaveAttribute('data-delivery', 'delivered')
  await expect(sign).toHaveText(say('delivery.delivered'))
})
