// What fails every other play is really heard: each kind of complaint is provoked once.
import { expect, test } from './stage'

const KINDS = [/^error: planted/, /policy: style-src/, /policy: require-trusted-types-for/, /^uncaught: .*nobody caught/s, /^uncaught: .*nobody waited/s, /policy: connect-src/, /^another host/] // prettier-ignore

test('errors, breaches of the policy, lost promises and other hosts are complained about', async ({
  alice,
  visit,
  complaints,
}) => {
  const page = await visit(alice)
  await expect(page.locator('#username')).toBeVisible()
  expect(complaints.left, 'the page by itself is quiet').toEqual([])
  // The same machine under another name is another host.
  await page.evaluate((elsewhere) => {
    console.error('planted')
    document.body.setAttribute('style', 'color: red')
    try {
      // eslint-disable-next-line no-restricted-properties -- to see that it is forbidden
      document.body.innerHTML = '<b>markup</b>'
    } catch {
      // The policy has said so already.
    }
    setTimeout(() => {
      throw new Error('nobody caught')
    })
    void Promise.reject(new Error('nobody waited'))
    fetch(elsewhere).catch(() => {})
    open(elsewhere)
    const image = new Image()
    image.src = `${elsewhere}picture.png`
  }, alice.program.url + '/')
  await expect
    .poll(() => KINDS.filter((kind) => !complaints.left.some((complaint) => kind.test(complaint))))
    .toEqual([])
  complaints.excuse(/.*/s)
})
