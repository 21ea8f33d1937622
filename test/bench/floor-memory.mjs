/**
 * The bare work of a stream: changes of a slot as text, each an UPDATE by its key, without proof, history or display.
 * argv: source, target, slot.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const [source = '', target = '', slot = ''] = process.argv.slice(2)
const [from, to] = [new pg.Client(source), new pg.Client(target)]
await from.connect()
await to.connect()
let isOver = false
process.once('SIGTERM', () => (isOver = true))
while (!isOver) {
  const { rows } = await from.query(`SELECT data FROM pg_logical_slot_get_changes($1, NULL, NULL)`, [slot])
  for (const { data } of rows) {
    if (data.startsWith('BEGIN')) await to.query('BEGIN')
    else if (data.startsWith('COMMIT')) await to.query('COMMIT')
    else {
      const [, id, n] = /UPDATE: id\[bigint\]:(\d+).* n\[integer\]:(\d+)/.exec(data) ?? []
      if (id !== undefined) await to.query('UPDATE rows SET n = $2 WHERE id = $1', [id, n])
    }
  }
  await sleep(1000)
}
await from.end()
await to.end()
