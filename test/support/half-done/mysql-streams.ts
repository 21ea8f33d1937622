/**
 * Streams by triggers out of MariaDB: their tables, logs and triggers are created again here, and the ledger of the
 * target gets the ids and times of this server.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import { openCopyStore } from '../../../src/engine/copy/open-stores.ts'
import { makePlace, type Place } from '../copy-systems.ts'
import { rehashed, literal, meant } from './plans.ts'
import { DATABASE, readBack, writeDown } from './room.ts'
import { leaveStream, type Ends, type State } from './trigger-streams.ts'

/** Placeholder for the server's identity in a fixture. */
const SERVER = 'half-done-server'
const BIRTH = /'(\{"slot":(?:[^']|'')*\})'/g

/** End of a table's identity in a plan: the table and its creation time. */
const MADE_AT = /\/(\w+)@\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g

type Facts = {
  readonly ids: ReadonlyMap<string, string>
  readonly altered: ReadonlyMap<string, string>
  readonly triggers: ReadonlyMap<string, string>
}
type Birth = { readonly facts: Readonly<Record<string, string>>; readonly shapes: Readonly<Record<string, string>> }
type Log = {
  readonly table: { readonly name: string }
  readonly made: { readonly triggers: Readonly<Record<string, string>> }
}
type Shape = { readonly ids: Readonly<Record<string, string>> }

/** @param folder folder of the target's file */
export async function leaveMysqlStream(state: State, fixture: string, folder: string): Promise<void> {
  const ends = { source: await makePlace('mysql', folder), target: await makePlace('sqlite', folder) }
  await leaveStream(ends, state)
  await writeDown(ends.source, `${fixture}-source`, folder)
  await writeDown(ends.target, `${fixture}-target`, folder, 'text')
  const { server, database } = await calledHere(ends.source)
  const file = `${fixture}-target.sql.gz`
  const text = gunzipSync(readFileSync(file)).toString('utf8')
  writeFileSync(file, gzipSync(text.replaceAll(server, SERVER).replaceAll(database, DATABASE), { level: 9 }))
}

export async function loadMysqlStream(fixture: string, folder: string): Promise<Ends> {
  const source = await readBack('mysql', `${fixture}-source`, folder)
  const { server, database } = await calledHere(source)
  const facts = await factsOf(source)
  const place = new URL(source.url).host
  const here = (text: string): string =>
    rehashed(
      text
        .replaceAll(SERVER, server)
        .replaceAll(DATABASE, database)
        .replaceAll('mysql://there', `mysql://${place}`)
        .replace(MADE_AT, (all, table: string) => `/${table}@${facts.altered.get(table) ?? all}`)
        .replace(BIRTH, (_, startRecord: string) =>
          literal(JSON.stringify(reborn(JSON.parse(meant(startRecord)) as Birth, facts))),
        ),
    )
  return { source, target: await readBack('sqlite', `${fixture}-target`, folder, 'text', here) }
}

/** The identity of a server and a database in a ledger. */
async function calledHere({ url }: Place): Promise<{ readonly server: string; readonly database: string }> {
  await using store = await openCopyStore(url, { mode: 'read' })
  const at = store.identity.lastIndexOf('/')
  return { server: store.identity.slice(0, at), database: store.identity.slice(at + 1) }
}

async function factsOf({ rows }: Place): Promise<Facts> {
  const asked = async (query: string): Promise<ReadonlyMap<string, string>> =>
    new Map((await rows(query)).map(([name, fact]) => [name ?? '', fact ?? '']))
  return {
    ids: await asked("SELECT SUBSTRING_INDEX(NAME, '/', -1), TABLE_ID FROM information_schema.INNODB_SYS_TABLES WHERE NAME LIKE CONCAT(DATABASE(), '/%')"), // prettier-ignore
    altered: await asked(
      'SELECT TABLE_NAME, CREATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()',
    ),
    triggers: await asked(
      `SELECT TRIGGER_NAME, CONCAT_WS(' · ', EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, CREATED, DEFINER, SQL_MODE, ACTION_STATEMENT)
       FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()`,
    ),
  }
}

/** What a stream recorded of its source at its start, with the ids and times of this server. */
function reborn(startRecord: Birth, { ids, altered, triggers }: Facts): Birth {
  const facts = Object.entries(startRecord.facts).map(([name, text]) => {
    if (!name.startsWith('log of ')) return [name, text]
    const log = JSON.parse(text) as Log
    const names = Object.keys(log.made.triggers)
    const made = {
      id: ids.get(log.table.name),
      triggers: Object.fromEntries(names.map((trigger) => [trigger, triggers.get(trigger)])),
    }
    return [name, JSON.stringify({ ...log, made })]
  })
  const shapes = Object.entries(startRecord.shapes).map(([table, text]) => {
    const name = table.split('.').at(-1) ?? ''
    const shape = JSON.parse(text) as Shape
    return [table, JSON.stringify({ ...shape, ids: { '': ids.get(name) }, altered: altered.get(name) })]
  })
  return { ...startRecord, facts: Object.fromEntries(facts) as Birth['facts'], shapes: Object.fromEntries(shapes) as Birth['shapes'] } // prettier-ignore
}
