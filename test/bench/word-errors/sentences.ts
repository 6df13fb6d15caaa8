/**
 * What the word errors are counted on: sentences somebody says to a home that knows only the embedded model's words
 * (about 900: models/embedded/README.md). Written from what the model is for, not taken from what it was trained with;
 * that some of the short ones were in its training as well cannot be ruled out.
 */
import { randomFrom } from '../../random.ts';

type Random = () => number;

const listOf = (text: string): readonly string[] => text.split(',').map((item) => item.trim());

const ones = listOf(
  'zero, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, seventeen, eighteen, nineteen',
);
const tens = listOf(', , twenty, thirty, forty, fifty, sixty, seventy, eighty, ninety');

/** 0 to 100 in words, as the model writes them. Throws RangeError for others. */
export function numberInWords(value: number): string {
  if (!Number.isInteger(value) || value < 0 || value > 100) {
    throw new RangeError(`expected an integer of 0 to 100, got ${value}`);
  }
  if (value === 100) return 'one hundred';
  if (value < 20) return ones[value] as string;
  const ten = tens[Math.floor(value / 10)] as string;
  return value % 10 === 0 ? ten : `${ten} ${ones[value % 10]}`;
}

/** What a name in braces stands for: one of these, which may hold names again. `{3-60}` is a number. */
const parts: Readonly<Record<string, readonly string[]>> = {
  room: listOf(
    'kitchen, bedroom, living room, bathroom, hallway, office, garage, dining room, basement, attic, nursery, guest room, laundry room, garden, balcony, study, pantry, playroom, library, workshop',
  ),
  light: listOf(
    'light, lights, lamp, ceiling light, floor lamp, desk lamp, night light, spotlights, chandelier',
  ),
  color: listOf('red, green, blue, yellow, orange, purple, pink, warm white, turquoise, gold'),
  device: listOf(
    'fan, heater, television, radio, coffee machine, kettle, oven, dishwasher, washing machine, dryer, robot vacuum, humidifier, air purifier, fireplace, computer, printer, toaster, water heater',
  ),
  cover: listOf('blinds, curtains, shutters, windows, shades, roller blinds, drapes'),
  entrance: listOf('front door, back door, garage door, side door, patio door, cellar door, gate, safe'),
  day: listOf('monday, tuesday, wednesday, thursday, friday, saturday, sunday'),
  when: ['today', 'tomorrow', 'tonight', 'this evening', 'this weekend', 'on {day}'],
  city: listOf(
    'london, paris, new york, berlin, tokyo, chicago, boston, madrid, rome, dublin, sydney, amsterdam',
  ),
  sound: listOf(
    'jazz, rock, classical music, the news, my playlist, a podcast, piano music, rain sounds, the radio, country music, an audiobook, some music',
  ),
  food: listOf(
    'milk, bread, eggs, butter, cheese, apples, bananas, rice, pasta, chicken, onions, potatoes, tomatoes, carrots, sugar, salt, soap, batteries, honey, chocolate, lemons, garlic, olive oil, strawberries',
  ),
  person: listOf(
    'mom, dad, john, sarah, mike, anna, david, emma, peter, grandma, tom, kate, my wife, my brother, the doctor',
  ),
  size: listOf('small, medium, large, tall, double, twelve ounce, sixteen ounce'),
  roast: listOf('light roast, medium roast, dark roast, french roast'),
  drink: listOf(
    'coffee, latte, cappuccino, espresso, americano, mocha, flat white, macchiato, green tea, hot chocolate, iced coffee',
  ),
  milk: listOf('whole milk, skim milk, soy milk, almond milk, oat milk, cream, coconut milk'),
  sweet: listOf('sugar, brown sugar, honey, vanilla, caramel, cinnamon'),
  amount: listOf('some, extra, no, a little, a little bit of, a lot of'),
  hour: ['{1-12}', 'half past {1-12}', 'quarter to {1-12}', '{1-12} thirty', '{1-12} in the morning'],
  span: ['{2-59} minutes', '{2-50} seconds', '{2-12} hours', 'half an hour', 'an hour and a half'],
  temperature: ['{15-28} degrees', '{55-85} degrees'],
};

/** Each topic is as likely as the next, whatever the number of its sentences. */
const topics: Readonly<Record<string, readonly string[]>> = {
  light: [
    'turn on the {room} {light}',
    'turn off the {light} in the {room}',
    'switch the {room} {light} off please',
    'dim the {room} lights to {5-95} percent',
    'can you make the {room} {light} {color}',
    'set the {light} in the {room} to {color}',
    'lower the brightness in the {room} by {5-50} percent',
    "it's too dark in the {room}",
    'who left the {light} on in the {room}',
  ],
  climate: [
    'set the temperature in the {room} to {temperature}',
    'turn the heating up by {2-9} degrees please',
    'what is the temperature in the {room}',
    'heat the {room} to {temperature} at {hour}',
    "what's the humidity in the {room} right now",
    "i'm cold make it warmer in the {room}",
    'set the {room} thermostat to {temperature} {when}',
  ],
  cover: [
    'open the {cover} in the {room}',
    'close all the {cover} at {hour}',
    'move the {room} {cover} to {10-90} percent',
    'please shut the {room} {cover} completely',
    'are the {cover} in the {room} closed',
  ],
  lock: [
    'lock the {entrance} please',
    'did i lock the {entrance}',
    'is there any motion in the {room}',
    'show me the {room} camera',
    'turn on the alarm and lock the {entrance}',
  ],
  time: [
    'set a timer for {span}',
    'wake me up at {hour} {when}',
    'remind me to call {person} at {hour}',
    'remind me to buy {food} {when}',
    'add {span} to the timer',
    'cancel my {hour} alarm',
    'how much time is left on the timer',
  ],
  music: [
    'play {sound} in the {room}',
    'turn the volume down to {5-60} percent',
    'play {sound} on the {room} speaker please',
    'stop the music in the {room}',
    'what song is this',
    'skip this song and turn it up',
  ],
  device: [
    'start the {device} in {span}',
    'turn off the {device} in the {room}',
    'is the {device} on',
    'could you switch the {room} {device} on',
    'vacuum the {room} at {hour}',
    'water the garden for {span}',
  ],
  order: [
    "i'd like a {size} {drink} with {milk}",
    'make me a {roast} {drink} with {amount} {sweet}',
    'can i get a {size} {roast} {drink} please',
    'two {size} {drink} to go with {amount} {milk} and {sweet}',
    "i'll have a {drink} with {milk} and {amount} {sweet}",
    'please make a {size} {drink} without {sweet}',
  ],
  question: [
    "what's the weather like in {city} {when}",
    'will it rain in {city} {when}',
    'what time is it in {city}',
    'what is {0-100} times {2-12}',
    'how long is the drive to {city}',
    "what's on my calendar {when}",
    'do i need an umbrella {when}',
  ],
  list: [
    'add {food} and {food} to my shopping list',
    'put {2-12} {food} on the grocery list',
    'remove the {food} from the shopping list',
    'we are out of {food} and {food}',
    'send a message to {person}',
    "tell {person} i'm on my way",
    'call {person} at {hour}',
  ],
  everyday: [
    'good morning did you see {person}',
    'where is the {food}',
    '{person} is in the {room}',
    'the {food} is on the table',
    "i'll be home at {hour}",
    'see you {when} at {hour}',
    "let's have some {food} for dinner",
    "i can't find my phone",
    'what are we doing {when}',
    'i have a meeting at {hour} {when}',
  ],
};

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)] as T;
}

function expand(template: string, random: Random): string {
  return template.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
    const range = /^(\d+)-(\d+)$/.exec(name);
    if (range !== null) {
      const [least, most] = [Number(range[1]), Number(range[2])];
      return numberInWords(least + Math.floor(random() * (most - least + 1)));
    }
    const options = parts[name];
    if (options === undefined) throw new Error(`the grammar has no {${name}}`);
    return expand(pick(options, random), random);
  });
}

/** So many different sentences, the same for the same seed: lower case, no digits. */
export function writeSentences(count: number, seed: number): readonly string[] {
  const random = randomFrom(seed);
  const written = new Set<string>();
  while (written.size < count) written.add(expand(pick(pick(Object.values(topics), random), random), random));
  return [...written];
}

/** Every word the grammar can write. */
export function wordsOfGrammar(): readonly string[] {
  const texts = [...Object.values(topics), ...Object.values(parts), ones, tens, ['hundred']].flat();
  const words = texts.flatMap((text) => text.replaceAll(/\{[^}]+\}/g, ' ').split(' '));
  return [...new Set(words.filter((word) => word !== ''))].sort();
}
