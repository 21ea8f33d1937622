/**
 * `npm run bench -- ledger [SYSTEM] [--quick]`: the time of a claim of a chunk with so many pending ones, and the
 * floor: the update of one row by its primary key and a COMMIT on the same connection. The minimum of the difference is
 * the cost of its statements: other programs of the machine can only increase it. Asserts nothing about time.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import process from 'node:process'
import { ROOT, scratchFolder } from './lakes.mjs'
import { mysql, postgresql } from './servers.mjs'
import { textTable, time } from './table.mjs'

const CLAIMS = 300

/** @param {{only: string, isQuick: boolean}} options */
export async function ledgers({ only, isQuick }) {
  const sizes = isQuick ? [1_000, 20_000] : [1_000, 20_000, 200_000, 1_000_000]
  const scratch = scratchFolder('ledger')
  const file = (/** @type {string} */ scheme) => ({ url: `${scheme}:///${path.join(scratch, `ledger.${scheme}`)}`, stop: async () => undefined }) // prettier-ignore
  const systems = { sqlite: async () => file('sqlite'), duckdb: async () => file('duckdb'), postgresql, mysql }
  /** @type {string[][]} */
  const rows = []
  for (const [system, start] of Object.entries(systems)) {
    if (!system.includes(only)) continue
    const server = await start()
    if (server === null) {
      process.stderr.write(`no ${system} server on this machine\n`)
      continue
    }
    try {
      const child = [path.join(import.meta.dirname, 'ledger-child.mjs'), server.url, String(CLAIMS), ...sizes.map(String)] // prettier-ignore
      const done = spawnSync(process.execPath, child, { cwd: ROOT, encoding: 'utf8' })
      if (done.status !== 0) throw new Error(done.stderr.slice(-2000))
      for (const line of done.stdout.trim().split('\n')) {
        const { size, addMs, claim, least, most, floor, leastFloor, look } = JSON.parse(line)
        const name = `${system}: ${size.toLocaleString('en')} pending`
        rows.push([name, time(claim), time(least), time(most), time(floor), time(leastFloor), time(Math.max(0, least - leastFloor)), Math.round(1000 / claim).toLocaleString('en'), time(look), time(addMs)]) // prettier-ignore
        process.stderr.write(`${name}: ${time(claim)}\n`)
      }
    } catch (error) {
      process.stderr.write(`${system}: ${error.message}\n`)
      rows.push([system, 'failed', '', '', '', '', '', ''])
      process.exitCode = 1
    } finally {
      await server.stop()
    }
  }
  process.stdout.write(`\nNode ${process.versions.node}, ${CLAIMS} claims of each; medians\n`)
  const heading = [
    '',
    'a claim',
    'least',
    'most',
    'floor',
    'its least',
    'beyond',
    'claims/s',
    'looks',
    '1,000 written down',
  ]
  process.stdout.write(`${textTable(heading, rows)}\n`)
}
