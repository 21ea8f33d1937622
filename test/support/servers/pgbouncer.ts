/** A new PgBouncer with its own folder and port on 127.0.0.1, removed afterwards. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { PASSWORD, type PostgresServer } from './postgresql.ts'

/** Debian installs it in /usr/sbin, which is not on the path of every user. */
const PROGRAM = ['pgbouncer', '/usr/sbin/pgbouncer'].find((name) => spawnSync(name, ['--version']).status === 0)
/** Why PgBouncer is not available; empty if it is. */
export const PGBOUNCER_MISSING: string = PROGRAM === undefined ? 'pgbouncer is not installed' : ''
/** Also true where `.ci/run` requires it, so that the tests fail there if it is missing. */
export const PGBOUNCER_AVAILABLE: boolean = PGBOUNCER_MISSING === '' || Boolean(process.env['SLUICE_REQUIRE_PGBOUNCER'])
/** PgBouncer refuses to run as root. */
const NOBODY = { uid: 65_534, gid: 65_534 }
const READY_MS = 10_000

export type Pooler = AsyncDisposable & {
  /** URL of a database through the pool. */
  url(database: string): string
}

/** @param size server connections in the pool of a database */
export async function startPgbouncer(
  server: PostgresServer,
  mode: 'transaction' | 'session',
  size: number,
): Promise<Pooler> {
  if (PROGRAM === undefined) throw new Error(PGBOUNCER_MISSING)
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-test-pgbouncer-'))
  const port = await freePort()
  const file = path.join(folder, 'pgbouncer.ini')
  const secret = PASSWORD.replaceAll("'", "''")
  writeFileSync(
    file,
    `[databases]
* = host=127.0.0.1 port=${server.port} user=sluice password='${secret}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = ${size}
`,
  )
  const isRoot = process.getuid?.() === 0
  if (isRoot) for (const one of [folder, file]) chownSync(one, NOBODY.uid, NOBODY.gid)
  const child = spawn(PROGRAM, [file], { stdio: 'ignore', ...(isRoot ? NOBODY : {}) })
  const ended = once(child, 'exit')
  const until = Date.now() + READY_MS
  while (!(await answers(port))) {
    if (child.exitCode !== null || Date.now() > until) throw new Error('pgbouncer did not start')
    await sleep(20)
  }
  return {
    url: (database) => `postgresql://sluice@127.0.0.1:${port}/${database}?sslmode=disable`,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
