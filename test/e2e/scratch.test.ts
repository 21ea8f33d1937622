import { it } from 'vitest'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { openPty } from '../tui/support/pty.ts'
it('x', { timeout: 120000 }, async () => {
  rmSync('/tmp/e2ework/ui', { recursive: true, force: true })
  cpSync('/work/main/fixtures/lake', '/tmp/e2ework/ui/lake', { recursive: true, preserveTimestamps: true })
  for (const [c, r] of [[80, 24], [200, 50]] as const) {
    const app = openPty({ columns: c, rows: r, cwd: '/tmp/e2ework/ui', script: '/work/main/dist/cli/bin.js', args: ['lake', '--database-url', `sqlite:///c${c}.db`] })
    const show = (t: string) => console.log(`#### ${c} ${t}\n${app.screen()}`)
    const w = async (t: string, wanted: any) => { try { await app.until(wanted) } catch (e) { show('TIMEOUT ' + t); throw e }; show(t) }
    await app.until('6 tables')
    app.type('*'); await app.until('marked')
    app.type('i'); await app.until('enter starts')
    app.type('enter'); await w('ended', /exit \d|ended/)
    app.type('1'); await app.until( '✓ current')
    app.type('esc'); await app.until(/^(?!.*marked)/s); app.type('/', 'orders', 'enter'); await w('filtered', '› sales/orders')
    app.type('v'); await w('validated', /exit \d/)
    app.type('1'); await w('proved', '✓ v39')
    app.type('enter', ']', ']', ']'); await w('files', '31 files')
    app.type('w', 'month >= 11 AND order_id > 3600000', 'enter'); await w('where', /order_id > 3600000[^]*w edit/)
    app.type('esc'); await app.until('enter open'); app.type('c'); await w('compared', /exit \d|9 questions/)
    app.type('1'); await w('tables', '✓ v39')
    app.type('r'); await w('rollback', 'sluice rollback')
    app.type('sales/orders', 'tab', 'enter'); await w('rolled back', /exit \d/)
    app.type('1'); await w('not yet', '– not yet')
    app.type('2'); await w('runs', 'rollback')
    app.type('1'); await app.until('[1 Tables]'); app.type('esc'); await app.until('6 tables '.trim())
    app.type('q'); const e = await app.ended; show('end ' + JSON.stringify(e))
  }
})
