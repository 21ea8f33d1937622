/** What other users of this machine see of a running command. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { BIN, cleanEnv } from '../e2e/support/program.ts'

/** A database that accepts connections, and never answers. */
const silent = net.createServer((socket) => socket.on('error', () => undefined))
beforeAll(() => new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening)))
afterAll(() => silent.close())

it.each(['s3cret', "s3c'ret", 's3c ret', 's3c/ret', 's3c@ret'])('hides a password such as %s', async (password) => {
  const { port } = silent.address() as net.AddressInfo
  const at = `127.0.0.1:${port}/db`
  const words = ['discover', `postgresql://app:${password}@${at}`, `--database-url=postgresql://app:${password}@${at}`]
  const connected = once(silent, 'connection')
  const program = spawn(process.execPath, [BIN, ...words, '--ci'], { env: cleanEnv(), stdio: 'ignore' })
  const ended = once(program, 'exit')
  try {
    const [socket] = (await connected) as [net.Socket]
    const seen = execFileSync('ps', ['-o', 'args=', '-p', String(program.pid)], { encoding: 'utf8' }).trim()
    expect(seen).toBe(`sluice discover postgresql://app@${at} --database-url=postgresql://app@${at} --ci`)
    socket.destroy()
  } finally {
    program.kill('SIGKILL')
    await ended
  }
})
