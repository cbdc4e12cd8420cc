// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the scripts of all pages have in common. The page's data are the JSON in the element "data".
"use strict";
const find = id => document.getElementById(id);
const data = JSON.parse(find("data").textContent);

// Makes an element; `svg` in the name space of SVG.
function make(name, attributes = {}, children = [], space = null) {
  const element = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...[children].flat());
  return element;
}
const svg = (name, attributes, children) => make(name, attributes, children, "http://www.w3.org/2000/svg");

// Names with their values, as the summary shows them.
const pairs = entries => entries.map(([name, value]) => make("div", {}, [make("dt", {}, name), make("dd", {}, value)]));

// A table: its head is an array of names, its rows begin with their name.
function table(caption, head, rows) {
  return make("table", {}, [make("caption", {}, caption),
    make("thead", {}, make("tr", {}, head.map(name => make("th", {scope: "col"}, name)))),
    make("tbody", {}, rows.map(([name, ...values]) => make("tr", {}, [make("th", {scope: "row"}, name), ...values.map(value => make("td", {}, value))])))]);
}
