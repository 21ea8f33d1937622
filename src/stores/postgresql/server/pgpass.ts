/** libpq's password file. It is read here because the driver would print a warning at every start. */
import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { optionFileText, isOpenToOthers } from '../../common/option-file.ts'

export type PostgresEnvironment = Readonly<Record<string, string | undefined>>

export type Server = {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
}

function fileOf(environment: PostgresEnvironment): string {
  return environment['PGPASSFILE'] || join(environment['HOME'] || homedir(), '.pgpass')
}

/** Path of a password file that exists and is ignored, because other users may read it. */
export function ignoredPasswordFile(environment: PostgresEnvironment): string | null {
  const file = fileOf(environment)
  try {
    return isOpenToOthers(statSync(file)) ? file : null
  } catch {
    return null
  }
}

/** Password of the first matching line; undefined without one, or if other users may read the file, as in libpq. */
export function passwordFromFile(server: Server, environment: PostgresEnvironment): string | undefined {
  const text = optionFileText(fileOf(environment), isOpenToOthers)
  if (text === null) return undefined
  // The file lists local servers as localhost, also those behind a socket file.
  const hosts = server.host.startsWith('/') ? [server.host, 'localhost'] : [server.host]
  const wanted = [hosts, [String(server.port)], [server.database], [server.user]]
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue
    const fields = fieldsOf(line)
    if (fields.length < 5) continue
    if (wanted.every((values, i) => fields[i] === '*' || values.includes(fields[i] ?? ''))) return fields[4]
  }
  return undefined
}

/** Fields between colons; a backslash escapes the next character. */
function fieldsOf(line: string): string[] {
  const fields = ['']
  for (let i = 0; i < line.length; i++) {
    if (line[i] === ':' && fields.length < 5) {
      fields.push('')
      continue
    }
    if (line[i] === '\\' && i + 1 < line.length) i++
    fields[fields.length - 1] += line[i] ?? ''
  }
  return fields
}
