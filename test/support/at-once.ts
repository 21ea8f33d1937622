/** Runs a statement of PostgreSQL between two steps of a program in this process. */
import { execFileSync } from 'node:child_process'

/** Runs a statement synchronously: no other code of this process runs meanwhile. */
export function atOnce(url: string, statement: string): void {
  const program = `
    import pg from 'pg'
    const client = new pg.Client({ connectionString: process.env.URL_OF_IT })
    await client.connect()
    await client.query(process.env.STATEMENT)
    await client.end()`
  execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, URL_OF_IT: url, STATEMENT: statement },
  })
}
