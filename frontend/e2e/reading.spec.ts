// Whoever wrote sees that it was read, and no more once the reader wants it so.
import { expect, meet, message, test, tick, write } from './stage'

test('who does not tell what they read is not seen reading', async ({ alice, bob, visit, say }) => {
  await meet(alice, bob)
  const [a, b] = [await visit(alice, 'chats/bob'), await visit(bob, 'chats/alice')]
  await write(a, 'one')
  await expect(message(b, 'one')).toBeVisible()
  await b.bringToFront()
  await expect(tick(message(a, 'one'))).toHaveAttribute('data-delivery', 'read')

  await b.getByTestId('menu').click()
  const receipts = b.getByRole('menuitemcheckbox', { name: say('menu.receipts') })
  await expect(receipts).toBeChecked()
  await receipts.click()
  await b.getByTestId('menu').click()
  await expect(receipts).not.toBeChecked()
  await b.keyboard.press('Escape')
  await write(a, 'two')
  await expect(message(b, 'two')).toBeVisible()
  // What bob says comes behind what he would have told.
  await write(b, 'three')
  await expect(message(a, 'three')).toBeVisible()
  await expect(tick(message(a, 'one'))).toHaveAttribute('data-delivery', 'read')
  await expect(tick(message(a, 'two'))).toHaveAttribute('data-delivery', 'delivered')
})
