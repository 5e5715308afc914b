import { mount } from 'svelte';
import App from './App.svelte';

window.said = [];
mount(App, { target: document.getElementById('app') });
