/** Entry of `npm start`: without words the demo, with one path the demo of that lake, else the normal program. */
import { existsSync } from 'node:fs'
import process from 'node:process'
import { commandNamed } from './parse/command-list.ts'
import { launch } from './launch.ts'

const words = process.argv.slice(2)
const [first] = words
const onlyPath = first !== undefined && words.length === 1 && commandNamed(first) === null && existsSync(first)

await launch(first === undefined ? ['demo'] : onlyPath ? ['demo', first] : words)
