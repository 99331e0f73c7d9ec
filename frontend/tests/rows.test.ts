// How a timeline is divided.
import { expect, test } from 'vitest'
import { rowsOf } from '@/components/rows'
import type { Message } from '@/stores/timeline'

const at = (id: string, timestamp: string, mine = false): Message => ({
  id,
  mine,
  content: id,
  timestamp,
  delivery: 'delivered',
})

const kinds = (messages: Message[], firstNew?: string) =>
  rowsOf({ messages, pending: [], complete: true, loaded: true }, firstNew).map((row) =>
    row.kind === 'message' ? `${row.joined ? '+' : ''}${row.message.id}` : row.kind,
  )

test('messages of one author within minutes are joined; days, authors and what is new part them', () => {
  const messages = [
    at('a', '2026-11-23T12:00:00Z'),
    at('b', '2026-11-23T12:04:00Z'),
    at('c', '2026-11-23T12:04:30Z', true),
    at('d', '2026-11-23T12:20:00Z', true),
    at('e', '2026-11-24T12:00:00Z', true),
    at('f', '2026-11-24T12:00:01Z', true),
  ]
  expect(kinds(messages)).toEqual(['beginning', 'day', 'a', '+b', 'c', 'd', 'day', 'e', '+f'])
  expect(kinds(messages, 'f')).toEqual(['beginning', 'day', 'a', '+b', 'c', 'd', 'day', 'e', 'new', 'f'])
})

test('what is pending comes last, and what was refused has failed', () => {
  const rows = rowsOf(
    {
      messages: [],
      complete: false,
      loaded: true,
      pending: [
        { key: 1, content: 'x', timestamp: '2026-11-24T12:00:00Z', problem: new Error('no') as never },
      ],
    },
    undefined,
  )
  expect(rows[0]?.kind).toBe('loading')
  expect(rows.at(-1)).toMatchObject({ message: { mine: true, delivery: 'failed' } })
})

test('a time that no calendar has breaks nothing', () => {
  expect(kinds([at('a', 'nonsense'), at('b', '+99999-01-01T00:00:00Z')])).toContain('a')
})
