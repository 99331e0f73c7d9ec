// Whether those who cannot see the page, or use no mouse, can use what is on show.
import AxeBuilder from '@axe-core/playwright'
import { expect, type Page } from '@playwright/test'

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

export async function inspect(page: Page, what: string): Promise<void> {
  // Colours are measured once they have arrived.
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .map((animation) =>
          animation.effect?.getTiming().iterations === Infinity ? undefined : animation.finished,
        ),
    ),
  )
  const { violations, passes } = await new AxeBuilder({ page }).withTags(RULES).analyze()
  const found = violations.map(
    ({ id, nodes }) => `${what}: ${id}: ${nodes.map(({ html }) => html).join('\n')}`,
  )
  expect(found).toEqual([])
  expect(passes.length, 'it looked at something').toBeGreaterThan(15)
}
