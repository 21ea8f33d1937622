/** A running copy is asked and told over a socket of its own. */
import { statSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { controlSocketPath, openControlSocket } from '../../src/engine/copy/control-socket.ts'
import { Steering } from '../../src/engine/copy/steering.ts'

const RUN = `test-${process.pid}`

async function ask(...requests: readonly unknown[]): Promise<unknown[]> {
  const socket = connect(controlSocketPath(RUN))
  socket.setEncoding('utf8')
  let text = ''
  for (const request of requests) socket.write(`${typeof request === 'string' ? request : JSON.stringify(request)}\n`)
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', (piece: string) => {
      text += piece
      const lines = text.split('\n').slice(0, -1)
      if (lines.length < requests.length) return
      socket.destroy()
      resolve(lines.map((line) => JSON.parse(line) as unknown))
    })
  })
}

test('workers, rate, pauses and a stop reach the run; nonsense does not', async () => {
  const steering = new Steering(4, null, undefined, new AbortController().signal)
  steering.tables = ['a', 'b']
  const told: unknown[] = []
  steering.onWish = (wish) => told.push(wish)
  await using socket = await openControlSocket(RUN, steering)
  expect(socket).toBeDefined()
  expect(statSync(dirname(controlSocketPath(RUN))).mode & 0o077).toBe(0)
  const [state] = await ask({ get: true })
  expect(state).toEqual({
    ok: true,
    state: { workers: 4, rate: null, paused: false, pausedTables: [], skippedTables: [], stopping: false },
  })
  await ask({ set: { workers: 8, rate: 500 } }, { set: { paused: true, pause: 'a' } })
  expect(steering.workersNow).toBe(8)
  expect(steering.rateNow).toBe(500)
  expect(steering.isPaused).toBe(true)
  expect(steering.table('a')).toBe('paused')
  await ask({ set: { paused: false, resume: 'a', skip: 'b', rate: null } })
  expect([steering.table('a'), steering.table('b'), steering.rateNow]).toEqual([null, 'skipped', null])
  const wrong = await ask(
    { set: { workers: 0 } },
    { set: { workers: 2, speed: 9 } },
    'no JSON',
    {},
    { set: { pause: 'c' } },
  )
  for (const answer of wrong) expect(answer).toMatchObject({ ok: false, error: { code: 'BAD_FLAG' } })
  // A wish among wrong ones is not heeded either.
  expect(steering.workersNow).toBe(8)
  expect(steering.stop.aborted).toBe(false)
  await ask({ set: { stop: true } })
  expect(steering.stop.aborted).toBe(true)
  expect(told).toContainEqual({ act: 'rate', rate: 500 })
})
