/** Requests a stream: START_REPLICATION, and the session settings before it. */
import type { Duplex } from 'node:stream'
import type { Client, Connection, Submittable } from 'pg'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { quoteName } from '../../server/connect.ts'
import { copySettings } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { lsnText } from '../../server/lsn.ts'

/** First server version that can skip changes by their replication origin. */
const ORIGINS = 160_000

/** Settings that make the server send values in the same text form as to a copy, each with its expected value. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  client_encoding: /^UTF8$/,
  TimeZone: /^UTC$/,
  DateStyle: /^ISO\b/,
  IntervalStyle: /^iso_8601$/,
  bytea_output: /^hex$/,
  extra_float_digits: /^1$/,
  lc_monetary: /^C$/,
  xmloption: /^content$/,
}

export type WalRequest = {
  readonly slot: string
  readonly publication: string
  readonly from: LogPosition
  /** Leaves out changes that were replicated to the source, if the server supports this. */
  readonly origin?: 'none' | undefined
  /** Sends values in the binary formats of their types; PostgreSQL 14 and newer. */
  readonly isBinary?: boolean
}

export function startSql({ slot, publication, from, origin, isBinary = false }: WalRequest, version: number): string {
  const options = [
    "proto_version '1'",
    `publication_names ${literal(quoteName(publication))}`,
    ...(isBinary ? ["binary 'true'"] : []),
    ...(origin === undefined || version < ORIGINS ? [] : [`origin ${literal(origin)}`]),
  ]
  return `START_REPLICATION SLOT ${quoteName(slot)} LOGICAL ${lsnText(from)} (${options.join(', ')})`
}

/**
 * Gives a session the settings of a copy, and checks that the server uses them.
 * @returns wal_sender_timeout in ms; 0 if there is none
 * @throws SluiceError CONNECT_FAILED if a pooler does not pass settings on to the server
 */
export async function agreeSettings(client: Client, settings: PostgresSettings): Promise<number> {
  await client.query(copySettings(settings))
  const names = [...Object.keys(EXPECTED), 'wal_sender_timeout']
  const { rows } = await client.query<[name: string, value: string, setting: string]>({
    text: `SELECT n.name, pg_catalog.current_setting(n.name), (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = n.name)
      FROM (VALUES ${names.map((name) => `(${literal(name)})`).join(', ')}) AS n (name)`,
    rowMode: 'array',
  })
  const known = new Map(rows.map(([name, value]) => [name, value]))
  for (const [name, wanted] of Object.entries(EXPECTED)) {
    if (wanted.test(known.get(name) ?? '')) continue
    throw new SluiceError('CONNECT_FAILED', `the server did not apply the setting ${name}`, {
      where: settings.label,
      reason: `its value is ${known.get(name) ?? 'unknown'}, so a stream would read other values than a copy`,
      hint: 'connect directly to the server, without a pooler',
      kind: 'source',
    })
  }
  return Number(rows.find(([name]) => name === 'wal_sender_timeout')?.[2] ?? 0)
}

type Listeners = { readonly data: (data: Buffer) => void; readonly failed: (error: unknown) => void }

/** START_REPLICATION: after its answer the driver reads no more data, and only reports the end of the connection. */
export class StartReplication implements Submittable {
  readonly #sql: string
  readonly #socket: Duplex
  readonly #driver: (data: Buffer) => void
  readonly #listeners: Listeners

  constructor(sql: string, socket: Duplex, driver: (data: Buffer) => void, listeners: Listeners) {
    this.#sql = sql
    this.#socket = socket
    this.#driver = driver
    this.#listeners = listeners
  }

  submit(connection: Connection): void {
    this.#socket.removeListener('data', this.#driver)
    this.#socket.on('data', this.#listeners.data)
    connection.query(this.#sql)
  }

  handleError(error: unknown): void {
    this.#listeners.failed(error)
  }
}
