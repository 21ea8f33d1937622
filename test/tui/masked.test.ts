/** Passwords are drawn as dots while they are typed, everywhere. */
import { afterEach, expect, it } from 'vitest'
import { masked } from '../../src/tui/draw/masked.ts'
import { uiCommands } from '../../src/cli/ui/commands.ts'
import { fakeWorkbench } from './fake-workbench.mjs'
import type { App } from './support/app.ts'
import { openApp } from './support/app.ts'

let open: App[] = []
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

it.each([
  ['postgresql://me:hid', 'postgresql://me:•••'],
  ['postgresql://me:hid@h/db', 'postgresql://me:•••@h/db'],
  ['postgresql://me:5432', 'postgresql://me:••••'],
  ['postgresql://host:5432/db', 'postgresql://host:5432/db'],
  ['postgresql://me@host:5432/db', 'postgresql://me@host:5432/db'],
  ['postgresql://me:a/b@c@h/db', 'postgresql://me:•••••@h/db'],
  ['postgresql://me:12/b@h/db', 'postgresql://me:••••@h/db'],
  ['mysql://h/db?sslpassword=geheim&x=1', 'mysql://h/db?sslpassword=••••••&x=1'],
  [
    'copy orders --from postgresql://a:x@h/d --to mysql://b:yz',
    'copy orders --from postgresql://a:•@h/d --to mysql://b:••',
  ],
  ['sqlite:////tmp/a:b@c.db', 'sqlite:////tmp/a:b@c.db'],
  ['s3://bucket/a:b', 's3://bucket/a:b'],
  ['https://h/x', 'https://h/x'],
  ['crm @ x:y', 'crm @ x:y'],
])('%s is drawn as %s', (typed, drawn) => {
  expect(masked(typed)).toBe(drawn)
})

it('shows the typed text on the smallest screen', async () => {
  const app = openApp({ columns: 40, rows: 10, fake: fakeWorkbench() })
  open.push(app)
  await app.until('crm/')
  await app.press(['a', 'sqlite:///a/long/way/to/shop.db'], 'sqlite:///a/long/way/to/shop.db')
  await app.press(['ctrl-u', './lake'], './lake')
})

/** All text written to the terminal so far. */
const written = (app: App): string => app.raw().replaceAll(/\u001B\[[\d;?]*[A-Za-z]/g, '')

it('shows no password in a prompt, the palette, a list, an error or a title', async () => {
  const commands = await uiCommands({ env: {}, cwd: '.' } as unknown as Parameters<typeof uiCommands>[0], {
    secrets: [],
    urls: [],
    learned: () => undefined,
  })
  const app = openApp({ columns: 120, rows: 40, fake: fakeWorkbench(), commands })
  open.push(app)
  await app.until('crm/accounts')
  await app.press(['a', 'postgresql://me:Zq7Zq7@nowhere/x'], 'me:••••••@nowhere/x')
  await app.press(['enter'], 'does not exist')
  await app.press(['ctrl-u', 'postgresql://me:Zq7Zq7@away/x', 'enter'], '▾ postgresql://me@away/x')
  await app.press([':', 'copy --from postgresql://me:Zq7Zq7@h/x'], 'me:••••••@h/x')
  await app.press(['esc'], (screen) => !screen.includes('me:••'))
  await app.press(['5', '\u000F', 'postgresql://me:Zq7Zq7'], 'me:••••••')
  expect(written(app)).not.toContain('Zq7')
  expect(written(app)).not.toContain('7Zq')
})
