/**
 * `npm run bench -- hosts [--chunks N] [--seconds N] [--quick]`: the ledger alone. So many chunks wait in one
 * PostgreSQL ledger, and 1, 10 and 100 hosts claim and close them as fast as they can, each over its own connection,
 * with their leases renewed and checked as copies do. No rows are copied, so the result is the cost of a chunk in the
 * ledger. Floor: the same connections; each claim and close is an update of one row by its primary key and a COMMIT.
 * Then twenty of the hosts fall silent: measures when all their chunks have other owners, and the time of commands that
 * read all of the ledger. Asserts nothing about time.
 */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import process from 'node:process'
import { ROOT } from './lakes.mjs'
import { postgresql } from './servers.mjs'
import { textTable, time } from './table.mjs'

const HOSTS = [1, 10, 100]

/** @param {{chunks: number, seconds: number}} options */
export async function hosts({ chunks, seconds }) {
  const server = await postgresql(['max_connections=600', 'max_wal_size=8GB'])
  if (server === null) {
    process.stderr.write('no postgresql server on this machine\n')
    process.exitCode = 1
    return
  }
  try {
    const child = path.join(import.meta.dirname, 'hosts-child.mjs')
    const words = [child, server.url, String(chunks), String(seconds), ...HOSTS.map(String)]
    const done = spawnSync(process.execPath, words, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }) // prettier-ignore
    if (done.status !== 0) throw new Error(`the hosts ended with ${done.status ?? done.signal}`)
    const lines = done.stdout.trim().split('\n').map((line) => JSON.parse(line)) // prettier-ignore
    process.stdout.write(
      `\nNode ${process.versions.node}, PostgreSQL, ${chunks.toLocaleString('en')} chunks, ${seconds} s each\n`,
    )
    process.stdout.write(`${textTable(['', 'chunks/s', 'floor', 'a claim', 'p99', 'most', 'a close', 'p99', 'a look after others'], rates(lines))}\n\n`) // prettier-ignore
    const figures = lines.filter((line) => 'figure' in line).map(({ figure, is }) => [figure, is])
    process.stdout.write(`${textTable(['', ''], figures)}\n`)
    /** @type {[string, string[]][]} */
    const commands = [
      ['runs', ['runs', '--to', server.url]],
      ['runs --run', ['runs', '--to', server.url, '--run', lines.find((line) => 'run' in line).run]],
      ['report RUN', ['report', lines.find((line) => 'run' in line).run, '--to', server.url, '--format', 'json']],
    ]
    const rows = commands.map(([name, args]) => [name, command(args)])
    process.stdout.write(`\n${textTable(['commands, with their start', ''], rows)}\n`)
  } finally {
    await server.stop()
  }
}

/** @param {any[]} lines @returns {string[][]} */
function rates(lines) {
  return lines
    .filter((line) => 'hosts' in line)
    .map(({ hosts: count, rate, floor, claim, close, look }) => [
      `${count} ${count === 1 ? 'host' : 'hosts'}`,
      Math.round(rate).toLocaleString('en'),
      Math.round(floor).toLocaleString('en'),
      ...[claim.median, claim.p99, claim.most, close.median, close.p99, look.median].map(time),
    ])
}

/** @param {string[]} args @returns {string} */
function command(args) {
  const start = performance.now()
  const done = spawnSync(process.execPath, [path.join(ROOT, 'dist/cli/bin.js'), ...args], { encoding: 'utf8' })
  const took = time(performance.now() - start)
  return done.status === 0 ? took : `${took}, exit ${done.status ?? done.signal}: ${done.stderr.slice(0, 300)}`
}
