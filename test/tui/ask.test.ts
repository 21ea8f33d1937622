/** The Ask screen with a fake workbench. */
import { afterEach, expect, it } from 'vitest'
import type { AskCell } from '../../src/app/ask/port.ts'
import type { FakeAnswer } from './fake-workbench.mjs'
import { fakeWorkbench } from './fake-workbench.mjs'
import type { App, AppOptions } from './support/app.ts'
import { openApp } from './support/app.ts'

let open: App[] = []
const start = async (options: AppOptions = {}): Promise<App> => {
  const app = openApp(options)
  open.push(app)
  await app.until('213')
  await app.press('5', 'no answer yet')
  return app
}
afterEach(async () => {
  for (const app of open) await app.quit()
  open = []
})

const text = (value: string): AskCell => ({ kind: 'text', text: value, whole: true })
const number = (value: number | bigint): AskCell => ({ kind: 'integer', text: String(value), whole: true })
const rows = (count: number): AskCell[][] =>
  Array.from({ length: count }, (_, i) => [number(i + 1), text(`row ${i + 1}`)])

const last = (app: App): FakeAnswer => {
  const answer = app.fake.answers.at(-1)
  if (answer === undefined) throw new Error('nothing was asked')
  return answer
}

it('runs a statement of several lines on enter after its end, and shows the first rows before it has ended', async () => {
  const app = await start()
  await app.press(['select id,', 'enter', "'1' as q from t", 'enter', 'where a::int > 2;'], 'a::int > 2;')
  await app.press('enter', 'running')
  expect(last(app).question).toMatchObject({
    place: { kind: 'catalog', url: 'sqlite:///lake.db' },
    sql: "select id,\n'1' as q from t\nwhere a::int > 2;",
    explain: false,
  })
  last(app).come(['id', 'name'], rows(3))
  await app.until(/3 rows so far[\s\S]*row 3/)
  last(app).end()
  await app.until('3 rows, all')
  expect(app.fake.runsStarted).toHaveLength(0)
})

it('a pasted text is only inserted: a line that ends in ; runs nothing, and letters start nothing', async () => {
  const app = await start()
  app.type('drop table a;\rdrop table b;\r')
  await app.until('drop table b;')
  await app.press(['qcxivR123'], '› qcxivR123')
  expect(app.fake.answers).toHaveLength(0)
  expect(app.fake.runsStarted).toHaveLength(0)
})

it('ctrl-c cancels the statement and no other run, and the end of the statement is shown', async () => {
  const app = await start({ fake: fakeWorkbench({ hold: true }) })
  await app.press(['shift-tab', '1'], '213')
  await app.press(['/', 'rates', 'enter', 'i'], 'enter starts')
  await app.press(['enter'], 'planning')
  const run = app.fake.runsStarted.at(-1)
  await app.press(['5', 'tab', 'select pg_sleep(60)', '\u0012'], 'running')
  last(app).come(['id', 'name'], rows(1))
  last(app).stubborn = true
  await app.press('ctrl-c', 'cancelling')
  await app.press('ctrl-c', 'still cancelling')
  last(app).end({ whole: false, cancelled: true })
  await app.until('it has ended where it ran · 1 row, not all')
  // The statement may end at the moment when the key is pressed.
  await app.press('ctrl-c', 'ctrl-c again')
  expect(last(app).calls.filter((call) => call === 'cancel')).toHaveLength(1)
  expect(run?.calls).toEqual([])
  run?.finish(0)
})

it('scrolls through millions of rows, and loads only a window of them', async () => {
  const app = await start()
  await app.press(['select 1;', 'enter'], 'running')
  last(app).come(['id', 'name'], rows(200_000))
  last(app).end()
  await app.press(['shift-tab', 'G'], /200000\s+200000\s+row 200000/)
  await app.press(['g'], /› +1\s+1\s+row 1/)
  await app.press(['pagedown', 'pagedown', 'j'], 'row 3')
  const windows = last(app).calls.filter((call) => call.startsWith('window'))
  expect(windows.length).toBeLessThan(6)
  expect(windows.every((call) => Number(call.split(' ')[2]) < 300)).toBe(true)
})

it('distinguishes NULL, an empty text and the text NULL, and escapes control characters', async () => {
  const app = await start()
  await app.press(['select 1;', 'enter'], 'running')
  const values = [null, text(''), text('NULL'), text('a\u001b[31m\n\u202eb'), number(9007199254740993n), text('日本語')]
  last(app).come(['n', 'e', 't', 'c', 'b', 'w'], [values])
  last(app).end()
  await app.until(String.raw`NULL  ''   'NULL'  a\x1b[31m\n\u{202e}b  9007199254740993  日本語`)
  await app.press(['shift-tab', 'right', 'right', 'right', 'enter'], /c · row 1 · text · 9 characters/)
  await app.press('esc', (screen) => !screen.includes('esc closes'))
  await app.press(['right', 'y'], 'copied: b of row 1')
  expect(app.raw()).toContain(Buffer.from('9007199254740993').toString('base64'))
})

it('shows the available keys after esc without an answer', async () => {
  const app = await start()
  await app.press(['select 1', 'esc'], 'i returns to the editor, esc leaves this screen')
  await app.press(['i', '2;'], '› select 12;')
  await app.press(['esc', 'esc'], /\[1 Tables\]/)
})

it('finds earlier statements by ↑ and by search, and keeps the typed text', async () => {
  const app = await start()
  await app.press(['select 7', 'up'], 'from delta_files')
  await app.press(['up', 'up', 'up'], '› select 1')
  await app.press(['down', 'down', 'down'], '› select 7')
  await app.press(['\u0006', 'delta'], 'history / delta')
  await app.press(['enter', '\u0012'], 'running')
  expect(last(app).question.sql).toBe('select count(*)\nfrom delta_files')
})

it('completes tables, columns of the named tables, and keywords', async () => {
  const app = await start()
  await app.press(['sel', 'tab'], '› select')
  await app.press([' o. from ord', 'tab'], 'o. from orders')
  await app.press([' o', 'home', ...Array.from({ length: 9 }, () => 'right'), 'tab'], /order_id +bigint/)
  await app.press(['down', 'down', 'enter'], '› select o.amount')
  await app.press(['\u0019'], '› select o.▏')
})

it('explains without running, and saves all rows to a new file, or over an existing one after confirmation', async () => {
  const app = await start()
  await app.press(['select 1', '\u0018'], 'explained, not run')
  expect(last(app).question).toMatchObject({ explain: true, sql: 'select 1' })
  last(app).come(['id', 'name'], rows(2))
  // An incomplete answer cannot be saved.
  await app.press(['shift-tab', 'w'], 'w does nothing here')
  last(app).end()
  await app.press(['w', 'ou', 'tab'], 'out/')
  await app.press(['there.txt', 'enter'], 'end the path in')
  await app.press(['backspace', 'backspace', 'backspace', 'csv', 'enter'], 'enter again overwrites it')
  await app.press(['enter'], 'saved: out/there.csv holds 2 rows')
  expect(last(app).calls.filter((call) => call.startsWith('save'))).toEqual([
    'save out/there.csv csv false',
    'save out/there.csv csv true',
  ])
})

it.each([
  [40, 10],
  [80, 24],
  [120, 40],
  [200, 50],
])('fills %d × %d and writes nothing while idle', async (columns, height) => {
  const app = openApp({ columns, rows: height })
  open.push(app)
  await app.until('sluice')
  await app.press(['5', 'select 1;', 'enter'], 'running')
  last(app).come(['id', 'name'], rows(100))
  last(app).end()
  await app.until('100 rows, all')
  await app.until('row 2')
  await app.settled()
  const before = app.bytes()
  await app.settled()
  expect(app.bytes()).toBe(before)
})

it('distinguishes calculated times of distant servers from measured ones, and draws them to a picture', async () => {
  const app = openApp({ columns: 120, rows: 40 })
  open.push(app)
  await app.until('213')
  await app.press(['/', 'orders', 'enter', 'c'], 'changes v1700')
  await app.until(/warm median of 7, measured/)
  await app.press(['.', '.', 'right', 'right'], 'calculated at 50 ms from the warm median of 7')
  // 41.2 ms were measured, and five requests are sequential. SQL makes no round trips.
  await app.until(/latest version \+ schema +291\.2 ms █+│█+ 0\.31 ms/)
  await app.press(['b'], /latest version \+ schema +13 █+│ 0 +SQL none/)
  await app.press(['b', 'b', 's', 'enter'], 'picture: sluice-compare.svg')
  const { path, text: svg } = app.fake.written[0] ?? { path: '', text: '' }
  expect(path).toBe('sluice-compare.svg')
  expect(svg).toContain('viewBox="0 0 1280 720"')
  expect(svg).toContain('>291.2 ms</text>')
  expect(svg).toContain(
    'Calculated from that for a round trip of 50 ms, not measured: files 50 ms more for each of 5 round trips in a row',
  )
  await app.press([',', ',', 'left', 'left', 'left'], 'warm median of 7, measured')
  await app.press(
    ['s', 'backspace', 'backspace', 'backspace', 'backspace', '-there', 'enter'],
    'enter again overwrites it',
  )
  await app.press(['enter'], 'picture: sluice-compare-there.svg')
  expect(app.fake.written[1]?.text).not.toContain('Calculated')
})
