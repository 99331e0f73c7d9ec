// @vitest-environment jsdom
// When the page asks who is available, and when it would only hear that it must not.
import { beforeEach, expect, test, vi, type MockInstance } from 'vitest'
import { api } from '@/api/client'
import { live } from '@/stores/live'
import { node, show } from '@/stores/node'
import { available, refresh } from '@/stores/people'

const bob = {
  id: 1,
  username: 'bob',
  host: '127.0.0.1',
  port: 5002,
  is_active: true,
  last_heartbeat: '2026-01-01T00:00:00Z',
}

let asked: MockInstance<typeof api.available>
beforeEach(() => {
  asked = vi.spyOn(api, 'available').mockResolvedValue([bob])
  show({ running: true, username: 'alice' })
  live.state = 'open'
})

test('a node that runs is asked', async () => {
  await refresh()
  expect(asked).toHaveBeenCalledOnce()
  expect([...available.value.keys()]).toEqual(['bob'])
})

test('without a line nobody is asked, whatever was known of the node before', async () => {
  for (const state of ['lost', 'connecting'] as const) {
    live.state = state
    await refresh()
  }
  expect(node.phase).toBe('running')
  expect(asked).not.toHaveBeenCalled()
})

test('a node that was stopped is not asked', async () => {
  show({ running: false })
  await refresh()
  expect(asked).not.toHaveBeenCalled()
})
