// @vitest-environment jsdom
// Word of a message that lies in a mailbox, from the event to the sign beside it.
import { mount } from '@vue/test-utils'
import { expect, test } from 'vitest'
import { parse } from '@/api/event'
import DeliveryTick from '@/components/DeliveryTick.vue'
import { i18n } from '@/i18n'
import { open, take } from '@/stores/chats'

const told = (event: object) => {
  const known = parse(JSON.stringify(event))
  if (known) take(known)
}

test('an event moves all of mine up to its message into the mailbox, in the list too, and none back', () => {
  const chat = open('bob')
  for (const id of ['1', '2'])
    told({ type: 'written', data: { id, to: 'bob', content: id, timestamp: '', delivery: 'queued' } })
  told({ type: 'mailbox', peer: 'bob', through: '2' })
  expect(chat.messages.map(({ delivery }) => delivery)).toEqual(['mailbox', 'mailbox'])
  expect(chat.last?.delivery).toBe('mailbox')
  told({ type: 'peer_disconnected', peer: 'bob' })
  expect(chat.last?.delivery).toBe('mailbox')
  // Of a conversation of which only the last message is known.
  chat.messages = []
  told({ type: 'delivered', peer: 'bob', through: '2' })
  told({ type: 'mailbox', peer: 'bob', through: '2' })
  expect(chat.last?.delivery).toBe('delivered')
})

test('the sign has words in both languages and a shape', () => {
  for (const locale of i18n.global.availableLocales) {
    i18n.global.locale.value = locale
    const tick = mount(DeliveryTick, { props: { delivery: 'mailbox' }, global: { plugins: [i18n] } })
    expect(tick.get('.hidden').text()).toBe(i18n.global.t('delivery.mailbox'))
    expect(tick.text()).not.toContain('delivery.')
    expect(tick.get('path').attributes('d')).toMatch(/^M/)
  }
})
