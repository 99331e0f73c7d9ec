// @vitest-environment jsdom
// Much that is told while the newest page of a conversation is read.
import { expect, test, vi } from 'vitest'
import { api } from '@/api/client'
import { chatOf, loadNewest, open, send, take } from '@/stores/chats'
import { onEvent, tell } from '@/stores/hold'
import { show } from '@/stores/node'

const stored = (id: number) => ({
  id: String(id),
  from: 'bob',
  to: 'alice',
  content: String(id),
  timestamp: '',
  delivery: 'delivered' as const,
})

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

test('a burst stands in the order in which it was written, whatever part of it the page holds', async () => {
  onEvent(take)
  show({ running: true, username: 'alice' })
  vi.spyOn(api, 'messages').mockImplementation(() => {
    for (const id of range(1, 150)) tell({ type: 'message', data: stored(id) })
    return Promise.resolve(range(41, 140).map(stored))
  })
  await loadNewest(open('bob'))
  expect(chatOf('bob')?.messages.map(({ id }) => id)).toEqual(range(41, 150).map(String))
  expect(chatOf('bob')?.contact).toBe(true)
  expect(chatOf('bob')?.last?.id).toBe('150')
})

test('what was written here and lies before the page is pending no more', async () => {
  onEvent(take)
  show({ running: true, username: 'alice' })
  vi.spyOn(api, 'send').mockResolvedValue({ id: 'mine', delivery: 'queued' } as never)
  const chat = open('carol')
  send(chat, 'hello')
  vi.spyOn(api, 'messages').mockImplementation(() => {
    tell({
      type: 'written',
      data: { id: 'mine', to: 'carol', content: 'hello', timestamp: '', delivery: 'queued' },
    })
    for (const id of range(1, 100)) tell({ type: 'message', data: { ...stored(id), from: 'carol' } })
    return Promise.resolve(range(1, 100).map((id) => ({ ...stored(id), from: 'carol' })))
  })
  await loadNewest(chat)
  expect(chat.pending).toEqual([])
  expect(chat.messages.map(({ id }) => id)).toEqual(range(1, 100).map(String))
})

test('who was removed and writes again is there with what they write', async () => {
  onEvent(take)
  show({ running: true, username: 'alice' })
  vi.spyOn(api, 'messages').mockImplementation(() => {
    tell({ type: 'contact_removed', peer: 'dora' })
    tell({ type: 'message', data: { ...stored(1), from: 'dora' } })
    return Promise.resolve([{ ...stored(1), from: 'dora' }])
  })
  await loadNewest(open('dora'))
  expect(chatOf('dora')?.messages.map(({ id }) => id)).toEqual(['1'])
})
