// @vitest-environment jsdom
// What the page draws is what a camera reads.
import { mount } from '@vue/test-utils'
import jsQR from 'jsqr'
import { expect, test } from 'vitest'
import QrCode from '@/components/QrCode.vue'

// The picture as a camera gets it: red, green, blue and alpha of each dot.
function seen(text: string): string | undefined {
  const drawn = mount(QrCode, { props: { text, label: 'code' } })
  const size = Number(drawn.get('svg').attributes('viewBox')?.split(' ')[2])
  const [dots, scale] = [size * 4, 4]
  const picture = new Uint8ClampedArray(dots * dots * 4).fill(255)
  const path = drawn.get('path').attributes('d') ?? ''
  for (const [, x, y, run] of path.matchAll(/M(\d+) (\d+)h(\d+)/g)) {
    for (let row = Number(y) * scale; row < (Number(y) + 1) * scale; row++)
      for (let column = Number(x) * scale; column < (Number(x) + Number(run)) * scale; column++)
        picture.fill(0, (row * dots + column) * 4, (row * dots + column) * 4 + 3)
  }
  return jsQR(picture, dots, dots)?.data
}

test('a camera reads a contact link and the code of a safety number', () => {
  for (const text of [
    'chatp2p:agats5yovb6rox2wunkgnq2mp3gmxdmksg2o4n5clx3a6w4pzgzzi3wgtqlagtnf/bob',
    'CHATP2P-SAFETY:1:ONTOAF7XINW6FPWRNVDM7VI2BS6VDWOXZOK5G7TCA7CV7ZZPVNVWJLCK3DIDMX42',
    `chatp2p:agats5yovb6rox2wunkgnq2mp3gmxdmksg2o4n5clx3a6w4pzgzzi3wgtqlagtnf/bob?tracker=https://${'x'.repeat(200)}.example`,
  ]) {
    expect(seen(text)).toBe(text)
  }
})
