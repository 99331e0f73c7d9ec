// Whether those who cannot see the page, or use no mouse, can use what is on show, by night and by day.
import AxeBuilder from '@axe-core/playwright'
import { expect, type Page } from '@playwright/test'

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

export async function inspect(page: Page, what: string): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    // Colours are measured once they have arrived.
    await page.evaluate(async () => {
      const running = () =>
        document
          .getAnimations()
          .filter(
            ({ effect, playState }) => playState === 'running' && effect?.getTiming().iterations !== Infinity,
          )
      // One that is broken off may have made room for another.
      for (let left = running(); left.length; left = running())
        await Promise.allSettled(left.map(({ finished }) => finished))
    })
    const { violations, passes } = await new AxeBuilder({ page }).withTags(RULES).analyze()
    const found = violations.map(
      ({ id, nodes }) => `${what}, ${colorScheme}: ${id}: ${nodes.map(({ html }) => html).join('\n')}`,
    )
    expect(found).toEqual([])
    expect(passes.length, 'it looked at something').toBeGreaterThan(15)
  }
}
