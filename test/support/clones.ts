/** Copies of a whole database, as a restored backup or a template creates them. */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import pg from 'pg'
import { makePlace, type Place } from './copy-systems.ts'

/** A copy of the database, under another name. */
export async function cloneOf(place: Place, name: string, folder: string): Promise<Place> {
  if (place.system === 'sqlite') return cloneOfFile(place, join(folder, `${name}.db`))
  return place.system === 'mysql' ? await cloneOfTables(place, folder) : await cloneOfTemplate(place, name)
}

function cloneOfFile(place: Place, file: string): Place {
  const original = place.url.slice('sqlite:///'.length)
  const database = new Database(original)
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
  copyFileSync(original, file)
  const sql = async (...statements: readonly string[]): Promise<void> => {
    const copy = new Database(file)
    for (const statement of statements) copy.exec(statement)
    copy.close()
  }
  return { ...place, url: `sqlite:///${file}`, sql }
}

/** A dump of one database that is loaded into another database of the same server. */
async function cloneOfTables(place: Place, folder: string): Promise<Place> {
  const clone = await makePlace('mysql', folder)
  const [from, to] = [place, clone].map(({ url }) => new URL(url).pathname.slice(1))
  for (const [name] of await place.rows('SHOW TABLES')) {
    await clone.sql(
      `CREATE TABLE \`${to}\`.\`${name}\` LIKE \`${from}\`.\`${name}\``,
      `INSERT INTO \`${to}\`.\`${name}\` SELECT * FROM \`${from}\`.\`${name}\``,
    )
  }
  return clone
}

async function cloneOfTemplate(place: Place, name: string): Promise<Place> {
  const url = new URL(place.url)
  const original = url.pathname.slice(1)
  const clone = `${original}_${name}`
  const admin = new URL(place.url)
  admin.pathname = '/postgres'
  const client = new pg.Client({ connectionString: admin.href })
  await client.connect()
  await client.query(`CREATE DATABASE "${clone}" TEMPLATE "${original}"`)
  await client.end()
  url.pathname = `/${clone}`
  const sql = async (...statements: readonly string[]): Promise<void> => {
    const session = new pg.Client({ connectionString: url.href })
    await session.connect()
    for (const statement of statements) await session.query(statement)
    await session.end()
  }
  return { ...place, url: url.href, sql }
}
