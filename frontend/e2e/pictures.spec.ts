// Pictures of the page, for people who look before they install, and for those who change it. `npm run pictures` puts them
// where the README shows them.
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { Peer } from './peer'
import { conversation, expect, messages, test, tick } from './stage'

// All of them for those who change it; these for the README.
const ALL = join(import.meta.dirname, '../test-results/pictures')
const README = process.env.CHATP2P_PICTURES
const SHOWN = /^chat-..-(desktop-light|desktop-dark|phone-light)$/

const SCREENS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } }

const TALK = {
  es: {
    first: [
      '¿Llegaste bien? 🚆',
      'Sí, ya en casa. El tren con una hora de retraso, como siempre 🙃',
      'Te mando las fotos luego',
    ],
    more: [
      '¡Vale! Por cierto: esto va directo de mi equipo al tuyo, sin servidor en medio.',
      'Probado con el wifi de la biblioteca y todo',
    ],
    last: '👏',
    other: ['Acta de la reunión: https://example.org/acta', '¿Mañana a las diez?', 'Perfecto, ahí estaré'],
  },
  en: {
    first: [
      'Did you get home all right? 🚆',
      'Yes! The train was an hour late, as ever 🙃',
      'Photos to follow',
    ],
    more: [
      'Great! By the way: this goes straight from my computer to yours, no server in between.',
      'Even tried it on the library Wi-Fi',
    ],
    last: '👏',
    other: [
      'Minutes of the meeting: https://example.org/minutes',
      'Tomorrow at ten?',
      'Perfect, see you there',
    ],
  },
}

for (const [language, locale] of [
  ['es', 'es-ES'],
  ['en', 'en-GB'],
] as const) {
  test.describe(language, () => {
    test.use({ locale })

    test('the page, on a desk and on a phone, by day and by night', async ({ invite, visit }) => {
      test.setTimeout(120_000)
      const people = []
      for (const name of ['ana', 'Lucía', 'Noor', 'Marc', 'João']) people.push(await invite(name))
      const [ana, lucia, noor, marc] = people as [Peer, Peer, Peer, Peer]
      const talk = TALK[language]
      const page = await visit(ana)
      await shoot(page, language, 'start')

      for (const peer of people) await peer.goOnline()
      for (const peer of [lucia, noor, marc]) await ana.connect(peer)
      const [one, two, three] = talk.first as [string, string, string]
      await ana.send(lucia, one)
      await lucia.hears(['ana', one])
      await lucia.send(ana, two)
      await lucia.send(ana, three)
      await page.goto(`${ana.page}chats/${encodeURIComponent('Lucía')}`)
      await expect(messages(page)).toHaveCount(3)
      for (const text of talk.more) await ana.send(lucia, text)
      await lucia.hears(
        ['ana', one],
        ['Lucía', two],
        ['Lucía', three],
        ...talk.more.map((text): [string, string] => ['ana', text]),
      )
      await lucia.send(ana, talk.last)
      const [minutes, when, good] = talk.other as [string, string, string]
      await noor.send(ana, minutes)
      await noor.send(ana, when)
      await ana.send(marc, good)
      await marc.program.end()
      await expect(conversation(page, 'Noor').locator('.count')).toContainText('2')
      await expect(messages(page)).toHaveCount(6)
      await expect(tick(messages(page).nth(4))).toHaveAttribute('data-delivery', 'delivered')
      await shoot(page, language, 'chat')
      await page.goto(ana.page)
      await expect(conversation(page, 'Noor')).toBeVisible()
      await shoot(page, language, 'home')
      await page.getByTestId('menu').click()
      await expect(page.getByRole('menu')).toBeVisible()
      await shoot(page, language, 'menu')
      await page.close()
    })
  })
}

async function shoot(page: Page, language: string, what: string): Promise<void> {
  for (const [screen, size] of Object.entries(SCREENS)) {
    await page.setViewportSize(size)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await expect(page.locator('#app')).not.toBeEmpty()
      const name = `${what}-${language}-${screen}-${colorScheme}`
      const folder = README && SHOWN.test(name) ? README : ALL
      const picture = await page.screenshot({ path: join(folder, `${name}.png`), caret: 'hide' })
      // An empty page of this size is much smaller.
      expect(picture.length).toBeGreaterThan(8_000)
    }
  }
}
