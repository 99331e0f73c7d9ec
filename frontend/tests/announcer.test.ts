// @vitest-environment jsdom
// What screen readers hear of new messages.
import { mount } from '@vue/test-utils'
import { expect, test, vi } from 'vitest'
import AnnouncerRegion from '@/components/AnnouncerRegion.vue'
import { i18n } from '@/i18n'
import { announce } from '@/stores/announcer'

test('the same words twice are said twice', async () => {
  vi.useFakeTimers()
  const region = mount(AnnouncerRegion, { global: { plugins: [i18n] } })
  const said: string[] = []
  const watched = new MutationObserver(() => said.push(region.text()))
  watched.observe(region.element, { childList: true, characterData: true, subtree: true })
  announce('bob', 'yes')
  announce('bob', 'yes')
  await vi.advanceTimersByTimeAsync(10_000)
  const words = i18n.global.t('says.news', { name: 'bob', text: 'yes' })
  expect(said).toEqual([words, '', words])
  vi.useRealTimers()
})
